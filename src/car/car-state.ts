import { ADMISSION_DEFAULTS, type AdmissionSettings, NO_RISK, type RiskBudget } from '../placement/stays/stay-admission.ts'
import type { StayStep } from '../placement/stays/stay-odds.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import type { LeaseId, ModelCid, PeerId, TaskId } from '../protocol/ids.ts'
import type { CarState as CarPhase } from './car.ts'

export interface CarSettings {
  /** Tasks at once that the hardware is worth. */
  readonly slots: 1 | 2 | 4 | 8
  /** Tasks handed to the workers beyond those that run, so that the next input is there when one ends: one for each, or a batch. */
  readonly ahead: number
  /** Leases at once; more are told busy while all are in use. */
  readonly maximumLeases: number
  /** A lease whose client has sent nothing for this long is ended, ms. @default 900_000 */
  readonly leaseIdleMs: number
  /** For this long after its last task a client counts among those that share the car, ms; later its place may go to another. @default 10_000 */
  readonly sharingMs: number
  readonly admission: AdmissionSettings
}

/** A task that a car accepted and has not answered. */
export interface AdmittedTask {
  readonly task: TaskId
  readonly attempt: number
  readonly lease: LeaseId
  readonly client: PeerId
  readonly model: ModelCid
  readonly deadlineMs: number
  /** When it went to the worker; null while it waits. */
  readonly startedMs: number | null
}

export interface GrantedLease {
  readonly lease: LeaseId
  readonly client: PeerId
  readonly model: ModelCid
  readonly slots: number
  /** Its client's share of the car, beside other clients'. */
  readonly weight: number
  /** When its last task came, or the lease itself. */
  lastTaskMs: number
  /** Its tasks that the car has accepted and not answered. */
  open: number
}

/** Whose turn it is: start-time fair queueing (Goyal, Vin and Cheng 1996) over clients, in microseconds of service by weight. */
export interface Turns {
  /** Where the service is: the turn that was begun last. A client that comes back starts from here, not from its past. */
  readonly now: number
  /** Where each client's next turn starts. */
  readonly clients: ReadonlyMap<PeerId, number>
}

/** What a car knows of its work. The step owns it, maps included: use only the state that it returns. */
export interface CarWork {
  readonly settings: CarSettings
  /** What it may still risk, from what it took in this stay. */
  readonly risk: RiskBudget
  readonly phase: CarPhase
  /** When a leaving car must be gone. */
  readonly leavesAtMs: number | null
  /** When the stay is foreseen to end: nothing is admitted that couldn't be finished before; null when nobody knows. */
  readonly endsAtMs: number | null
  /** Usual run time of each model that it holds, microseconds; null before the first run. */
  readonly models: Map<ModelCid, number | null>
  readonly leases: Map<LeaseId, GrantedLease>
  /** By lease and task, in order of arrival. */
  readonly tasks: Map<string, AdmittedTask>
  readonly turns: Turns
  /** Announcements answered, with when they may be forgotten. */
  readonly answered: ReadonlyMap<string, number>
}

/** `stay`: odds that the car stays until such work is done, in [0, 1]; null or missing when unknown. */
export type CarStepEvent =
  | { readonly type: 'parked'; readonly models: readonly ModelCid[] }
  /** `asksAll`: the round has the word for every car. */
  | {
      readonly type: 'announced'
      readonly ask: string
      readonly client: PeerId
      readonly model: ModelCid
      readonly expiresMs: number
      readonly asksAll: boolean
      readonly stay?: number | null
    }
  | { readonly type: 'awarded'; readonly lease: LeaseId; readonly client: PeerId; readonly model: ModelCid; readonly slots: number; readonly weight?: number }
  | {
      readonly type: 'task'
      readonly lease: LeaseId
      readonly client: PeerId
      readonly task: TaskId
      readonly attempt: number
      readonly deadlineMs: number
      readonly stay?: number | null
    }
  | { readonly type: 'ran'; readonly lease: LeaseId; readonly task: TaskId; readonly attempt: number; readonly ranUs: number }
  | {
      readonly type: 'run-failed'
      readonly lease: LeaseId
      readonly task: TaskId
      readonly attempt: number
      readonly code: ErrorCode
      readonly message: string
      readonly retryable: boolean
    }
  | { readonly type: 'cancelled'; readonly lease: LeaseId; readonly client: PeerId; readonly task: TaskId; readonly attempt: number }
  | { readonly type: 'released'; readonly lease: LeaseId; readonly client: PeerId }
  | { readonly type: 'client-lost'; readonly client: PeerId }
  | { readonly type: 'end-expected'; readonly atMs: number | null }
  | { readonly type: 'departing'; readonly secondsLeft: number; readonly reason: string }
  | { readonly type: 'woken' }

export type CarEffect =
  | {
      readonly type: 'offer'
      readonly ask: string
      readonly client: PeerId
      readonly model: ModelCid
      readonly slots: number
      readonly parallel: number
      readonly queued: number
      readonly completionUs: number
      readonly runUs: number
      /** As told, millionths in steps. */
      readonly stay: StayStep | null
    }
  | { readonly type: 'grant'; readonly client: PeerId; readonly lease: LeaseId; readonly slots: number }
  | { readonly type: 'refuse'; readonly client: PeerId; readonly lease: LeaseId; readonly code: ErrorCode; readonly retryAfterMs: number }
  | { readonly type: 'run'; readonly task: AdmittedTask }
  /** The lease is over, by this car's word. */
  | { readonly type: 'end-lease'; readonly client: PeerId; readonly lease: LeaseId }
  /** Stop work whose result nobody may use; what the run yields later is dropped. */
  | { readonly type: 'abort'; readonly lease: LeaseId; readonly task: TaskId; readonly attempt: number }
  | { readonly type: 'reply'; readonly lease: LeaseId; readonly task: TaskId; readonly attempt: number }
  | {
      readonly type: 'fail'
      readonly client: PeerId
      readonly lease: LeaseId
      readonly task: TaskId
      readonly attempt: number
      readonly code: ErrorCode
      readonly message: string
      readonly retryable: boolean
    }
  | { readonly type: 'tell-leaving'; readonly clients: readonly PeerId[]; readonly secondsLeft: number; readonly reason: string }
  | { readonly type: 'gone' }
  | { readonly type: 'wake'; readonly atMs: number }

/** A car that is not on the mesh. */
export function initialCarWork(settings: Pick<CarSettings, 'slots'> & Partial<CarSettings>): CarWork {
  return {
    settings: { ahead: settings.slots, maximumLeases: 16, leaseIdleMs: 900_000, sharingMs: 10_000, admission: ADMISSION_DEFAULTS, ...settings },
    risk: NO_RISK,
    phase: 'away',
    leavesAtMs: null,
    endsAtMs: null,
    models: new Map(),
    leases: new Map(),
    tasks: new Map(),
    turns: { now: 0, clients: new Map() },
    answered: new Map()
  }
}

/** When one more task of a model should be done, behind those that are here, seconds from now; null before its first run. */
export function expectedS({ models, tasks, settings }: CarWork, model: ModelCid): number | null {
  const runUs = models.get(model)
  return runUs === null || runUs === undefined ? null : (runUs * (1 + Math.floor(tasks.size / settings.slots))) / 1_000_000
}
