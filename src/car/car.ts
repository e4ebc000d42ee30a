import type { GridIntensity } from '../energy/carbon.ts'
import type { PlannedDeparture } from '../energy/departure-forecast.ts'
import type { FitnessReason } from '../energy/fitness.ts'
import type { FitnessGateSettings } from '../energy/fitness-gate.ts'
import type { OwnerPolicy } from '../energy/owner-policy.ts'
import type { OwnerUsage } from '../energy/owner-usage.ts'
import type { TaskEnergy } from '../energy/task-energy.ts'
import type { Amount } from '../ledger/leaf.ts'
import type { ModelPolicy } from '../models/model.ts'
import type { ShardSettings } from '../placement/shards.ts'
import type { ModelCid, PeerId } from '../protocol/ids.ts'
import type { VehicleSource, VehicleSourceState } from '../vehicle/vehicle-source.ts'
import type { EnergyTotals } from './owner/energy-account.ts'
import type { VehicleClock } from './owner/vehicle-facts.ts'

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
  /**
   * Odds that the vehicle stays for so many seconds more, in [0, 1], from what it has learnt of its stays; null when nothing
   * tells. It then takes only what it will likely finish, and offers tell the odds in coarse steps. @default it takes what comes
   */
  readonly stayOdds?: (lengthS: number) => number | null
  /** Private memory that a model may take in each of its workers, bytes. @default 2 GiB */
  readonly memoryLimitBytes?: number
  /**
   * When the topics on which it hears announcements split and merge, and how often cars show each other that they are
   * there; all cars of a mesh must have the same. @default SHARD_DEFAULTS: split above 128 cars, merge below 24
   */
  readonly shards?: Partial<ShardSettings>
  /** Where the vehicle's state comes from: then the car joins and leaves by itself. The peer stops it. @default none: parked by hand */
  readonly vehicle?: VehicleSource
  /** The vehicle's time of day, for a trace that is played; what it uses of daily caps isn't kept then. @default this machine's */
  readonly vehicleClock?: VehicleClock
  /** What the owner allows; a car without a vehicle keeps to its price, accounts and models. @default DEFAULT_POLICY with a vehicle */
  readonly ownerPolicy?: OwnerPolicy
  /** How the vehicle's fitness opens the way in. @default 30 s of being fit, a join a minute */
  readonly gate?: FitnessGateSettings
  /** How energy is measured. */
  readonly energy?: EnergyOptions
  /** Hears of every step, for logs. */
  readonly onEvent?: (event: CarEvent) => void
}

export type CarEvent =
  /** The vehicle is fit, or not, in the owner's words. */
  | { readonly type: 'fit' }
  | { readonly type: 'unfit'; readonly reasons: readonly FitnessReason[] }
  | { readonly type: 'joined'; readonly why: string }
  | { readonly type: 'join-failed'; readonly reason: string; readonly retryInMs: number }
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
      readonly energy: TaskEnergy
      /** Tasks that shared the run. */
      readonly together: number
      /** The price in its receipt. */
      readonly earned: Amount
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
  /** Of them those that it would have offered for, had they paid its price; null while there is none. */
  readonly underpaid: Underpaid | null
  readonly joins: number
  readonly energy: EnergyTotals
  /** Null when the car is parked by hand. */
  readonly vehicle: VehicleStatus | null
  readonly models: readonly {
    readonly cid: ModelCid
    readonly name: string
    readonly medianRunUs: number | null
    /** Processes that are ready to run it. */
    readonly workerPids: readonly number[]
  }[]
}

/** Work that a car leaves because of its price: how often since it joined, and the prices of the last, in 10⁻⁶ of their units. */
export interface Underpaid {
  readonly heard: number
  readonly asks: { readonly price: number; readonly unit: string }
  readonly offered: { readonly price: number; readonly unit: string }
}

/** What the owner may know of the vehicle; none of it goes to other peers. */
export interface VehicleStatus {
  readonly source: VehicleSource['name']
  readonly state: VehicleSourceState
  /** What is wrong with the source, in words. */
  readonly trouble: string | null
  /** Why the car isn't on the mesh, in words; empty while it is fit. */
  readonly reasons: readonly FitnessReason[]
  readonly batteryPercent: number | null
  readonly pluggedIn: boolean | null
  /** The earliest end of the stay that can be seen coming. */
  readonly planned: PlannedDeparture | null
  /** What work has used of today's caps. */
  readonly today: OwnerUsage
}

export interface EnergyOptions {
  /** @default /sys */
  readonly sysfsRoot?: string
  /** What a busy core draws above idle, W: without a meter, energy is estimated by it. @default none: unknown */
  readonly wattsPerCore?: number
  /** What the computer draws without tasks, W. @default learnt */
  readonly idleWatts?: number
  /** Needed for a carbon ceiling, and for emissions in the owner’s report; asked every few minutes. */
  readonly intensity?: () => Promise<GridIntensity>
}

export interface Car {
  status: () => CarStatus
  /**
   * The vehicle is needed: admits nothing more, tells every client `leaving`, finishes what fits in `secondsLeft`,
   * hands the rest back, stops the workers and leaves the mesh. Resolves when the workers are gone.
   */
  depart: (departure: { readonly reason: string; readonly secondsLeft?: number }) => Promise<void>
  /** The vehicle is parked again: joins with a fresh peer key; with a vehicle source, as soon as that is fit. */
  park: () => Promise<void>
  /** Takes effect at once; a text says why the policy can't be known, and keeps the car off the mesh. */
  setOwnerPolicy: (policy: OwnerPolicy | string) => void
}
