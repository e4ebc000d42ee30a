import type { PeerId } from '../protocol/ids.ts'
import type { ShardSettings } from './shards.ts'

/** Another car of the shard. */
export interface ShardMate {
  /** The first `PATH_BITS` bits of its hash. */
  readonly path: string
  readonly heardMs: number
  /** Cars counted when it was heard; it paces its next beacon by about as many. */
  readonly cars: number
}

/** How one car sees its shard. The step owns it, maps included: use only the state that it returns. */
export interface ShardState {
  readonly settings: ShardSettings
  /** The first `PATH_BITS` bits of this car's hash. */
  readonly path: string
  /** The prefix of the shard that it is in. */
  readonly leaf: string
  /** Shards whose topics it still hears after a move, and until when. */
  readonly held: ReadonlyMap<string, number>
  readonly mates: Map<PeerId, ShardMate>
  /** Prefixes under which it is listed on the DHT. */
  readonly provided: readonly string[]
  /** When it came into its leaf. */
  readonly enteredMs: number
  /** When it lists itself on the DHT, at the latest; null once it has. */
  readonly listAtMs: number | null
  /** It has not moved by its own count yet, so it may still follow what others tell of their depth. */
  readonly newcomer: boolean
  readonly lastBeaconMs: number
  readonly nextBeaconMs: number
  /** When it tells its old shard where it went, unless enough others do before; null when told. */
  readonly farewell: { readonly shard: string; readonly atMs: number; readonly heard: number } | null
  /** Since when its shard has too few cars; null while it has enough. */
  readonly lowSinceMs: number | null
  /** Whom it heard say that they went deeper (true) or stayed (false) since the first that went; null when nobody did. */
  readonly departures: { readonly endsMs: number; readonly wentDeeper: Map<PeerId, boolean> } | null
  readonly wakeMs: number
}

/** `random` is uniform in [0, 1) and fresh for every event. */
export type ShardEvent = { readonly random: number } & (
  | {
      /** A checked beacon. */
      readonly type: 'beacon-heard'
      readonly peer: PeerId
      readonly path: string
      /** Depth of the shard whose topic it came on. */
      readonly shard: number
      readonly leaf: number
      readonly away: boolean
    }
  /** Cars that are connected to this one and hear the topic of its leaf. */
  | { readonly type: 'neighbours-seen'; readonly neighbours: readonly { readonly peer: PeerId; readonly path: string }[] }
  /** Depths of the leaves of other cars of the model, wherever in the tree. */
  | { readonly type: 'depths-told'; readonly depths: readonly number[] }
  | { readonly type: 'woken' }
  | { readonly type: 'left' }
)

export type ShardEffect =
  /** Hear the topic of this shard, from now on. */
  | { readonly type: 'hold-topic'; readonly shard: string }
  | { readonly type: 'drop-topic'; readonly shard: string }
  | { readonly type: 'beacon'; readonly shard: string; readonly leaf: string; readonly away: boolean }
  | { readonly type: 'provide'; readonly shard: string }
  | { readonly type: 'unprovide'; readonly shard: string }
  | { readonly type: 'moved'; readonly from: string; readonly to: string; readonly cars: number }
  | { readonly type: 'wake'; readonly atMs: number }

/** Cars that are counted in the shard, this one included. */
export function carsCounted(state: ShardState): number {
  return state.mates.size + 1
}
