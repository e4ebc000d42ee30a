import type { Mesh } from '../mesh/mesh.ts'
import { idleCars, learnIdle, NOTHING_LEARNED, partAsked } from '../placement/idle-estimate.ts'
import { anySignal } from '../protocol/errors.ts'
import type { ModelCid } from '../protocol/ids.ts'
import { discoverShard, type FoundShard, linkProviders, mostCars } from './discover-shard.ts'

/** Fewer offers are too few to choose from: another shard is asked next, if one is known. */
const ENOUGH_OFFERS = 3
/** A shard that had too few offers has others again after this, ms. */
const TIRED_MS = 10_000
/** Between two looks on the DHT for further shards, and how long one may take, ms. */
const LOOK_AGAIN_MS = 5_000
const LOOK_MS = 10_000

/** How an announcement in a shard went. */
export interface AskOutcome {
  readonly shard: FoundShard
  /** θ of the rounds that reached somebody. */
  readonly thetas: readonly number[]
  readonly offers: number
}

export interface ShardFinder {
  /** A shard to announce on, `cars` those that are expected to be idle there; undefined when none is found before `signal` aborts. */
  find: (signal: AbortSignal) => Promise<{ readonly shard: FoundShard; readonly idleCars: number } | undefined>
  /** Learns from an announcement when its rounds are over. */
  note: (outcome: AskOutcome) => void
}

/** Picks the shards of one model in which to ask, and learns how many cars answer. */
export function createShardFinder(init: {
  readonly mesh: Mesh
  readonly model: ModelCid
  readonly nowMs: () => number
  readonly stopped: AbortSignal
}): ShardFinder {
  const { mesh, model, nowMs, stopped } = init
  const tired = new Map<string, number>()
  let learned = NOTHING_LEARNED
  let nextLookMs = 0

  function choose(shards: readonly FoundShard[]): FoundShard | undefined {
    const isTired = ({ topic }: FoundShard): boolean => (tired.get(topic) ?? 0) > nowMs()
    const rested = shards.filter(shard => !isTired(shard))
    if (rested.length > 0) return mostCars(rested)
    // A root without bits is the whole tree, as far as anybody told.
    if (shards.some(({ bits }) => bits !== '')) lookFurther()
    return shards.toSorted((left, right) => (tired.get(left.topic) ?? 0) - (tired.get(right.topic) ?? 0))[0]
  }

  function lookFurther(): void {
    if (nowMs() < nextLookMs) return
    nextLookMs = nowMs() + LOOK_AGAIN_MS
    void linkProviders(mesh, model, anySignal(stopped, AbortSignal.timeout(LOOK_MS))).catch(() => undefined)
  }

  return {
    find: async signal => {
      const shard = await discoverShard(mesh, model, signal, choose)
      return shard === undefined ? undefined : { shard, idleCars: idleCars(learned, shard.cars) }
    },
    note: ({ shard, thetas, offers }) => {
      learned = learnIdle(learned, { carsTold: shard.cars, part: partAsked(thetas), offers })
      if (offers < ENOUGH_OFFERS) tired.set(shard.topic, nowMs() + TIRED_MS)
      else tired.delete(shard.topic)
      for (const [topic, untilMs] of tired) if (untilMs <= nowMs()) tired.delete(topic)
    }
  }
}
