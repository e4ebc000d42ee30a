import type { ModelPolicy } from '../models/model.ts'
import type { ShardSettings } from '../placement/shards.ts'
import type { ModelCid, PeerId } from '../protocol/ids.ts'

export interface CarOptions {
  /** Tasks at once: 1, 2, 4 or 8; each model gets as many worker processes of one thread, and takes its memory as many times. @default 1 */
  readonly slots?: 1 | 2 | 4 | 8
  /** Which models the owner lets it run; none unless given. */
  readonly policy: ModelPolicy
  /** Names or CIDs of models in the store to load when it joins. @default every allowed one in the store */
  readonly models?: readonly string[]
  /** Per task, item and 1,000 tokens, in 10⁻⁶ of `unit`. @default 0 XXX (a volunteer) */
  readonly price?: {
    readonly perTask?: number
    readonly perItem?: number
    readonly per1kTokensIn?: number
    readonly per1kTokensOut?: number
    readonly unit?: string
  }
  /** Whether the vehicle is parked and fit at the start; a parked car joins at once. @default true */
  readonly parked?: boolean
  /** Private memory that a model may take in each of its workers, bytes. @default 2 GiB */
  readonly memoryLimitBytes?: number
  /**
   * When the topics on which it hears announcements split and merge, and how often cars show each other that they are
   * there; all cars of a mesh must have the same. @default SHARD_DEFAULTS: split above 128 cars, merge below 24
   */
  readonly shards?: Partial<ShardSettings>
  /** Hears of every step, for logs. */
  readonly onEvent?: (event: CarEvent) => void
}

export type CarEvent =
  | { readonly type: 'joined' }
  | { readonly type: 'left'; readonly reason: string }
  | { readonly type: 'announcement-heard' }
  | { readonly type: 'offered'; readonly client: PeerId }
  | { readonly type: 'granted'; readonly client: PeerId; readonly slots: number }
  | { readonly type: 'refused'; readonly client: PeerId; readonly reason: string }
  | {
      readonly type: 'done'
      readonly client: PeerId
      readonly ranUs: number /** To read and check the input, and to journal, sign and hand over the result. */
      readonly readUs: number
      readonly proveUs: number
    }
  | { readonly type: 'failed'; readonly client: PeerId; readonly reason: string }
  | { readonly type: 'handed-back'; readonly client: PeerId }
  /** It listens in another shard of a model; `from` and `to` are prefixes, `cars` how many it counts there. */
  | { readonly type: 'shard-changed'; readonly model: ModelCid; readonly from: string; readonly to: string; readonly cars: number }
  | { readonly type: 'worker-restarted'; readonly model: ModelCid; readonly reason: string }

/** `parked`: admits work. `leaving`: finishes what fits. `away`: not on the mesh. */
export type CarState = 'parked' | 'leaving' | 'away'

export interface CarStatus {
  readonly state: CarState
  readonly slots: number
  readonly running: number
  readonly queued: number
  readonly done: number
  readonly failed: number
  readonly handedBack: number
  /** Announcements heard since it joined. */
  readonly heard: number
  readonly models: readonly {
    readonly cid: ModelCid
    readonly name: string
    readonly medianRunUs: number | null
    /** Processes that are ready to run it. */
    readonly workerPids: readonly number[]
  }[]
}

export interface Car {
  status: () => CarStatus
  /**
   * The vehicle is needed: admits nothing more, tells every client `leaving`, finishes what fits in `secondsLeft`,
   * hands the rest back, stops the workers and leaves the mesh. Resolves when the workers are gone.
   */
  depart: (departure: { readonly reason: string; readonly secondsLeft?: number }) => Promise<void>
  /** The vehicle is parked and fit again: joins with a fresh peer key. */
  park: () => Promise<void>
}
