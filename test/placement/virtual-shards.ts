import { createHash } from 'node:crypto'
import type { ShardEffect, ShardEvent, ShardState } from '../../src/placement/shard-state.ts'
import { enterShards, shardStep } from '../../src/placement/shard-step.ts'
import { PATH_BITS, SHARD_DEFAULTS, type ShardSettings, shardBits } from '../../src/placement/shards.ts'
import type { PeerId } from '../../src/protocol/ids.ts'

/** A small deterministic generator (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface VirtualCar {
  readonly peer: PeerId
  readonly path: string
  state: ShardState
  alive: boolean
  wakeMs: number
  /** Beacons heard, on all topics. */
  heard: number
  moves: number
}

type Distribute<E> = E extends unknown ? Omit<E, 'random'> : never

/** Many cars of one model, run by the real steps under a virtual clock; a beacon reaches all who hear its topic after a random delay. */
export function createVirtualShards({
  random,
  settings = SHARD_DEFAULTS,
  delayMs = 50
}: {
  readonly random: () => number
  readonly settings?: ShardSettings
  readonly delayMs?: number
}) {
  let now = 0
  const cars = new Set<VirtualCar>()
  const topics = new Map<string, Set<VirtualCar>>()
  const queue = createQueue()

  const step = (car: VirtualCar, event: Distribute<ShardEvent>): void => deliver(car, { ...event, random: random() })

  function deliver(car: VirtualCar, event: ShardEvent): void {
    const [state, effects] = shardStep(car.state, event, now)
    car.state = state
    for (const effect of effects) obey(car, effect)
  }

  function obey(car: VirtualCar, effect: ShardEffect): void {
    switch (effect.type) {
      case 'hold-topic': {
        const hearers = topics.get(effect.shard) ?? new Set()
        topics.set(effect.shard, hearers.add(car))
        return
      }
      case 'drop-topic':
        topics.get(effect.shard)?.delete(car)
        return
      case 'moved':
        car.moves++
        return
      case 'wake': {
        const { atMs } = effect
        car.wakeMs = atMs
        return queue.add(atMs, () => {
          if (car.alive && car.wakeMs === atMs) step(car, { type: 'woken' })
        })
      }
      case 'beacon': {
        const { shard, leaf, away } = effect
        const beacon = { type: 'beacon-heard' as const, peer: car.peer, path: car.path, shard: shard.length, leaf: leaf.length, away, random: 0 }
        return queue.add(now + delayMs * (0.5 + random()), () => {
          for (const other of [...(topics.get(shard) ?? [])]) {
            if (other === car || !other.alive) continue
            other.heard++
            beacon.random = random()
            deliver(other, beacon)
          }
        })
      }
    }
  }

  const shards = (): Map<string, VirtualCar[]> => Map.groupBy(cars, car => car.state.leaf)

  return {
    cars,
    shards,
    /** Cars that hear a topic now. */
    hearers: (shard: string): ReadonlySet<VirtualCar> => topics.get(shard) ?? new Set(),
    at: (atMs: number, act: () => void): void => queue.add(atMs, act),
    now: () => now,
    /** A car comes; it is told the depth of a few others, as its connections would tell it. */
    join: (name: string, told = true): VirtualCar => {
      const path = shardBits(createHash('sha256').update(name).digest(), PATH_BITS)
      const others = [...cars].slice(0, 5)
      const [state, effects] = enterShards({ path, settings, random: random() }, now)
      const car: VirtualCar = { peer: name as PeerId, path, state, alive: true, wakeMs: Number.POSITIVE_INFINITY, heard: 0, moves: 0 }
      cars.add(car)
      for (const effect of effects) obey(car, effect)
      if (told && others.length > 0)
        queue.add(now + 500, () => {
          if (car.alive) step(car, { type: 'depths-told', depths: others.filter(other => other.alive).map(other => other.state.leaf.length) })
        })
      return car
    },
    /** A car goes, with a goodbye or without a word. */
    leave: (car: VirtualCar, goodbye: boolean): void => {
      if (goodbye) step(car, { type: 'left' })
      car.alive = false
      cars.delete(car)
      for (const hearers of topics.values()) hearers.delete(car)
    },
    run: (untilMs: number): void => {
      for (;;) {
        const next = queue.take(untilMs)
        if (next === undefined) break
        now = Math.max(now, next.atMs)
        next.act()
      }
      now = untilMs
    }
  }
}

interface Due {
  readonly atMs: number
  readonly act: () => void
}

/** A binary heap, earliest first. */
function createQueue(): { add: (atMs: number, act: () => void) => void; take: (untilMs: number) => Due | undefined } {
  const heap: Due[] = []
  const earlier = (left: number, right: number): boolean => (heap[left]?.atMs ?? Infinity) < (heap[right]?.atMs ?? Infinity)
  const swap = (left: number, right: number): void => {
    const held = heap[left]!
    heap[left] = heap[right]!
    heap[right] = held
  }
  return {
    add: (atMs, act) => {
      let at = heap.push({ atMs, act }) - 1
      for (let parent = (at - 1) >> 1; at > 0 && earlier(at, parent); parent = (at - 1) >> 1) {
        swap(at, parent)
        at = parent
      }
    },
    take: untilMs => {
      const first = heap[0]
      if (first === undefined || first.atMs > untilMs) return undefined
      const last = heap.pop()!
      if (heap.length > 0) heap[0] = last
      for (let at = 0; ; ) {
        const left = 2 * at + 1
        const least = earlier(left + 1, left) ? left + 1 : left
        if (!earlier(least, at)) break
        swap(least, at)
        at = least
      }
      return first
    }
  }
}
