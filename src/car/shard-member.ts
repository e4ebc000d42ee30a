import type { Mesh } from '../mesh/mesh.ts'
import { openHeardBeacon } from '../placement/open-gossip.ts'
import { carsCounted, type ShardEffect, type ShardEvent, type ShardState } from '../placement/shard-state.ts'
import { enterShards, shardStep } from '../placement/shard-step.ts'
import { heardPrefix, PATH_BITS, type ShardSettings, shardBits, shardTopic } from '../placement/shards.ts'
import type { Beacon } from '../protocol/announcement.ts'
import { looksLikeBeacon, sealEnvelope } from '../protocol/envelope.ts'
import { anySignal } from '../protocol/errors.ts'
import { cidToBytes, type ModelCid, type PeerId, peerIdOfKey, peerIdToBytes } from '../protocol/ids.ts'
import type { Clock } from '../protocol/signer.ts'
import { keepNeighbours } from './shard-neighbours.ts'

/** A longer one doesn't fit a beacon; none of a car's own is. */
const ADDRESS_BYTES = 128
/** Connected cars that are looked at for the depth of their shards. */
const CARS_LOOKED_AT = 12

export interface ShardMemberInit {
  readonly mesh: Mesh
  readonly model: ModelCid
  readonly settings: ShardSettings
  readonly clock: Clock
  readonly random: () => number
  /** Hears what came on the shard's topics and is no beacon. */
  readonly onMessage: (message: Uint8Array) => void
  readonly onMove?: (move: Extract<ShardEffect, { type: 'moved' }>) => void
}

export interface ShardMember {
  /** The prefix of its shard now. */
  bits: () => string
  /** Cars counted in the shard, this one included. */
  cars: () => number
  /** Stops listening and providing; resolves when its loops have ended. */
  leave: () => Promise<void>
}

/** Makes a car a member of a model's shards: carries out what the shard step decides, and keeps a few connections in its shard. */
export function joinShard(init: ShardMemberInit): ShardMember {
  const { mesh, model, settings, clock } = init
  const left = new AbortController()
  const topics = new Map<string, () => void>()
  const providing = new Map<string, AbortController>()
  const work = new Set<Promise<unknown>>()
  let timer: NodeJS.Timeout | undefined

  const [entered, first] = enterShards({ path: pathOf(mesh.peerId), settings, random: init.random() }, clock.monotonicMs())
  let state: ShardState = entered
  for (const effect of first) carryOut(effect)
  const neighbours = keepNeighbours({
    mesh,
    topic: () => shardTopic(model, state.leaf),
    isMate: peer => state.mates.has(peer),
    cars: () => carsCounted(state),
    monotonicMs: clock.monotonicMs,
    random: init.random,
    onLook: look
  })

  function step(event: Without<ShardEvent, 'random'>): void {
    if (left.signal.aborted) return
    const [next, effects] = shardStep(state, { ...event, random: init.random() }, clock.monotonicMs())
    state = next
    for (const effect of effects) carryOut(effect)
  }

  function carryOut(effect: ShardEffect): void {
    switch (effect.type) {
      case 'hold-topic': {
        topics.set(
          effect.shard,
          mesh.subscribe(shardTopic(model, effect.shard), message => hear(message))
        )
        return
      }
      case 'drop-topic': {
        topics.get(effect.shard)?.()
        topics.delete(effect.shard)
        return
      }
      case 'beacon':
        return background(mesh.publish(shardTopic(model, effect.shard), writeBeacon(effect)))
      case 'provide': {
        const ended = new AbortController()
        providing.set(effect.shard, ended)
        return background(mesh.provide(shardTopic(model, effect.shard), { signal: anySignal(left.signal, ended.signal) }))
      }
      case 'unprovide': {
        providing.get(effect.shard)?.abort()
        providing.delete(effect.shard)
        return background(mesh.unprovide(shardTopic(model, effect.shard)))
      }
      case 'moved': {
        init.onMove?.(effect)
        neighbours.moved()
        return
      }
      case 'wake': {
        clearTimeout(timer)
        timer = setTimeout(() => step({ type: 'woken' }), Math.max(0, Math.min(2 ** 30, Math.ceil(effect.atMs - clock.monotonicMs()))))
      }
    }
  }

  function background(promise: Promise<unknown>): void {
    const settled: Promise<unknown> = promise.catch(() => undefined).finally(() => work.delete(settled))
    work.add(settled)
  }

  function writeBeacon({ shard, leaf, away }: Extract<ShardEffect, { type: 'beacon' }>): Uint8Array {
    const addresses = away ? [] : mesh.dialableAddresses().filter(address => address.byteLength <= ADDRESS_BYTES)
    const issued = Math.floor(clock.unixMs() / 1000)
    const beacon: Beacon = { v: 1, model: cidToBytes(model), shard: shard.length, leaf: leaf.length, away, addresses, issued }
    return sealEnvelope(mesh.signer, 'beacon', beacon)
  }

  function hear(message: Uint8Array): void {
    if (!looksLikeBeacon(message)) return init.onMessage(message)
    const { value: beacon, publicKey } = openHeardBeacon(message)
    const peer = peerIdOfKey(publicKey)
    const { shard, leaf, away, addresses } = beacon
    neighbours.met(peer, addresses)
    step({ type: 'beacon-heard', peer, path: pathOf(peer), shard, leaf, away })
  }

  /** What the subscriptions of connected cars tell: who is in this shard, and while this car is new, how deep the others are. */
  function look(): void {
    const seen = mesh.subscribers(shardTopic(model, state.leaf)).map(peer => ({ peer, path: pathOf(peer) }))
    if (seen.length > 0) step({ type: 'neighbours-seen', neighbours: seen })
    if (!state.newcomer) return
    const depths = mesh
      .connections()
      .slice(0, CARS_LOOKED_AT)
      .flatMap(({ peer }) => heardPrefix(pathOf(peer), bits => mesh.subscribers(shardTopic(model, bits)).includes(peer), settings.maximumDepth)?.length ?? [])
    if (depths.length > 0) step({ type: 'depths-told', depths })
  }

  return {
    bits: () => state.leaf,
    cars: () => carsCounted(state),
    leave: async () => {
      step({ type: 'left' })
      left.abort()
      clearTimeout(timer)
      await Promise.all([neighbours.stop(), ...work])
    }
  }
}

type Without<E, Key extends string> = E extends unknown ? Omit<E, Key> : never

/** The hash path of a peer id; every beacon and subscriber is asked for it. */
function pathOf(peer: PeerId): string {
  return shardBits(peerIdToBytes(peer), PATH_BITS)
}
