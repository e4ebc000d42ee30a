import type { RankableOffer } from '../../placement/ranking.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import type { LeaseId, PeerId, TaskId } from '../../protocol/ids.ts'
import { Queue } from './queue.ts'

/** Durations in ms; a property test or the simulator may set others. */
export interface ClientSettings {
  /** After the first offer, this long for better ones. */
  readonly awardWaitMs: number
  /** An award that isn't granted by then counts as refused. */
  readonly grantWaitMs: number
  /** A lease without work for this long is given back. */
  readonly leaseIdleMs: number
  /** Most cars that one client keeps busy with one model. */
  readonly maximumCars: number
  /** A task that fails retryably on this many attempts ends with the last error. */
  readonly maximumFailures: number
  /** First and longest pause between two announcements while work is waiting. */
  readonly askPauseMs: number
  readonly askPauseMostMs: number
  /** A result whose receipt isn't there by then counts as wrong. */
  readonly receiptWaitMs: number
}

/**
 * Wished time until a queue is done, ms, for tasks whose caller gave neither a deadline nor a wish. Much shorter, and a burst
 * that one car ends at once takes many; much longer, and a job waits for one car while others stand idle.
 */
export const DEFAULT_TARGET_MS = 500

export const CLIENT_DEFAULTS: ClientSettings = {
  awardWaitMs: 20,
  grantWaitMs: 2_000,
  leaseIdleMs: 10_000,
  maximumCars: 16,
  maximumFailures: 4,
  askPauseMs: 250,
  askPauseMostMs: 4_000,
  receiptWaitMs: 5_000
}

/** A task that has not ended. */
export interface OpenTask {
  readonly id: TaskId
  /** On the monotonic clock. */
  readonly deadlineMs: number
  /** Time in which its caller would like the queue done, ms; infinite when only the deadline counts. */
  readonly targetMs: number
  readonly inputBytes: number
  /** The last attempt that was sent; 0 before the first. */
  attempt: number
  failures: number
  /** Cars that it failed on; asked again only when nobody else is there. */
  avoid: readonly PeerId[]
  lastError: { readonly code: ErrorCode; readonly message: string } | null
}

/** How fast a car answers. */
export interface Pace {
  /** Run time of one task by the car's word, ms; null while unknown. */
  runMs: number | null
  /** Results that came while more was under way, and the ms between them; halved now and then, so that old ones weigh less. */
  results: number
  spentMs: number
  /** When it last gave an answer, or was sent a task while it had none. */
  turnMs: number
  /** Whether more was under way at `turnMs`, so that the time until the next answer is the car's. */
  busy: boolean
  /** Shortest round trip of late, ms, and when it was measured; a busy process measures too long ones. */
  roundTripMs: number | null
  measuredMs: number
}

/** An award that a car granted. */
export interface HeldLease {
  readonly lease: LeaseId
  readonly car: PeerId
  readonly slots: number
  /** Tasks that the car runs at the same time. */
  readonly parallel: number
  /** Tasks to have under way there: what the car runs, as many that wait there, and what the line holds. */
  window: number
  readonly pace: Pace
  readonly flights: Map<TaskId, OpenTask>
  /** Results that came before their receipts, with when these are overdue. */
  readonly unproven: Map<TaskId, { readonly task: OpenTask; readonly dueMs: number }>
  idleSinceMs: number
  /** When a car that leaves is given up; null while it stays. */
  leavesAtMs: number | null
}

/** An offer, and which announcement it answers: one that came late may answer an earlier one. */
export interface AskedOffer extends RankableOffer {
  readonly ask: number
}

/** One announcement in its rounds, and the pause after them: offers that come late are as good. */
export interface Asking {
  readonly ask: number
  readonly phase: 'discovering' | 'listening' | 'resting'
  readonly round: number
  readonly theta: number
  readonly carsWanted: number
  readonly carsWon: number
  readonly announcedAtMs: number
  readonly roundEndsMs: number
  readonly awardAtMs: number | null
  readonly offers: readonly AskedOffer[]
  /** Awarded and not yet answered, with when they count as refused. */
  readonly pending: ReadonlyMap<PeerId, number>
  readonly heard: ReadonlySet<PeerId>
}

/**
 * What a client knows of one model's tasks and leases. The step owns it and changes it in place, since a copy for each event
 * costs more than the event: use only the state that it returns, and only read it.
 */
export interface ClientState {
  readonly settings: ClientSettings
  readonly ceiling: number
  readonly unit: string
  /** Waiting, oldest first; moved tasks come before fresh ones. */
  readonly waiting: Queue<OpenTask>
  readonly leases: Map<PeerId, HeldLease>
  /** No task's deadline and no receipt is due before this moment, so that a step looks through all of them only then. */
  tasksDueMs: number
  asking: Asking | null
  asks: number
  nextAskMs: number
  askPauseMs: number
  /** Usual ms from announcement to an offer. */
  usualOfferMs: number
  /** Time that a car of late took for a task, ms; null before the first. */
  usualServiceMs: number | null
  /** Since when tasks have waited without a car being added; null while none wait. */
  backlogSinceMs: number | null
  /** What discovery or the last announcement found wanting, for the error at the deadline. */
  trouble: string | null
  everLeased: boolean
}

export type ClientStepEvent =
  | { readonly type: 'submitted'; readonly task: TaskId; readonly deadlineMs: number; readonly targetMs?: number; readonly inputBytes?: number }
  | { readonly type: 'cancelled'; readonly task: TaskId }
  | { readonly type: 'discovered'; readonly ask: number; readonly idleCars: number }
  | { readonly type: 'undiscovered'; readonly ask: number; readonly trouble: string }
  | { readonly type: 'announced'; readonly ask: number; readonly round: number; readonly recipients: number }
  | { readonly type: 'offered'; readonly ask: number; readonly offer: RankableOffer }
  /** A car hears the topic that didn't when this was announced there. */
  | { readonly type: 'car-seen'; readonly ask: number }
  | { readonly type: 'granted'; readonly car: PeerId; readonly lease: LeaseId; readonly slots: number; readonly parallel: number; readonly runUs?: number }
  | { readonly type: 'refused'; readonly car: PeerId }
  /** Outputs are there, the receipt is not: the car is free for the next task. */
  | { readonly type: 'arrived'; readonly car: PeerId; readonly task: TaskId; readonly attempt: number }
  /** Outputs and receipt are there and hold. */
  | { readonly type: 'result'; readonly car: PeerId; readonly task: TaskId; readonly attempt: number; readonly ranUs?: number; readonly roundTripMs?: number }
  | { readonly type: 'bad-result'; readonly car: PeerId; readonly task: TaskId; readonly attempt: number; readonly reason: string }
  | {
      readonly type: 'failed'
      readonly car: PeerId
      readonly task: TaskId
      readonly attempt: number
      readonly code: ErrorCode
      readonly message: string
      readonly retryable: boolean
    }
  | { readonly type: 'leaving'; readonly car: PeerId; readonly secondsLeft: number }
  | { readonly type: 'car-lost'; readonly car: PeerId; readonly reason: string }
  | { readonly type: 'lease-ended'; readonly car: PeerId }
  | { readonly type: 'woken' }
  | { readonly type: 'stopped' }

export type LeaseEnd = 'lost' | 'leaving' | 'released' | 'refused' | 'idle' | 'stopped'

export type ClientEffect =
  | { readonly type: 'discover'; readonly ask: number }
  | { readonly type: 'announce'; readonly ask: number; readonly round: number; readonly theta: number; readonly tasks: number }
  /** All cars were asked and too few offered: tell when a new one comes. */
  | { readonly type: 'watch'; readonly ask: number }
  | { readonly type: 'award'; readonly ask: number; readonly car: PeerId; readonly slots: number }
  | { readonly type: 'decline'; readonly ask: number; readonly cars: readonly PeerId[] }
  | { readonly type: 'send'; readonly task: TaskId; readonly attempt: number; readonly car: PeerId; readonly lease: LeaseId; readonly deadlineMs: number }
  | { readonly type: 'cancel'; readonly task: TaskId; readonly attempt: number; readonly car: PeerId; readonly lease: LeaseId }
  | { readonly type: 'lease-opened'; readonly car: PeerId; readonly slots: number }
  | { readonly type: 'lease-closed'; readonly car: PeerId; readonly lease: LeaseId; readonly reason: LeaseEnd; readonly tell: boolean }
  | { readonly type: 'moved'; readonly task: TaskId; readonly from: PeerId; readonly reason: string }
  | { readonly type: 'deliver'; readonly task: TaskId; readonly attempt: number; readonly car: PeerId }
  | { readonly type: 'drop-late'; readonly task: TaskId; readonly attempt: number; readonly car: PeerId }
  | { readonly type: 'fail'; readonly task: TaskId; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'wake'; readonly atMs: number }

/** A client that has asked for nothing yet. */
export function initialClientState(init: {
  readonly ceiling: number
  readonly unit: string
  readonly trouble?: string
  readonly settings?: Partial<ClientSettings>
}): ClientState {
  const settings = { ...CLIENT_DEFAULTS, ...init.settings }
  return {
    settings,
    ceiling: init.ceiling,
    unit: init.unit,
    waiting: new Queue(),
    leases: new Map(),
    tasksDueMs: Number.POSITIVE_INFINITY,
    asking: null,
    asks: 0,
    nextAskMs: 0,
    askPauseMs: settings.askPauseMs,
    usualOfferMs: 30,
    usualServiceMs: null,
    backlogSinceMs: null,
    trouble: init.trouble ?? null,
    everLeased: false
  }
}
