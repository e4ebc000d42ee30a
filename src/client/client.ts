import type { MotorpoolError } from '../protocol/errors.ts'
import type { AccountId, ModelCid, PeerId, TaskId } from '../protocol/ids.ts'
import type { ParameterValue, Tensor } from '../protocol/tensor.ts'

/** A task's inputs by name; plain bytes stand for a uint8 tensor [length] (files such as images). */
export type TaskInputs = Readonly<Record<string, Tensor | Uint8Array>>

export interface RunOptions {
  /** Ends the task with `ERR_ABORTED` and stops its work on the car. */
  readonly signal?: AbortSignal
  /** Ends the task with `ERR_DEADLINE` (or `ERR_NO_CAR`). @default 60000 */
  readonly deadlineMs?: number
  /**
   * Wished milliseconds until the tasks that wait are done. Cars are added while those at hand, at their measured pace, need
   * longer for the queue, or when the queue has lasted longer than that; else the client keeps to the cars that it has.
   * @default 500 without a deadline; with one, only the deadline counts
   */
  readonly targetMs?: number
  /** Integers, strings, booleans or bytes that go with the input and its digest. */
  readonly parameters?: Readonly<Record<string, ParameterValue>>
  /** Most to pay for a task, in 10⁻⁶ of `unit`. @default 0 (volunteers) */
  readonly priceCeiling?: number
  /** ISO 4217; `XXX` for volunteers. @default 'XXX' */
  readonly unit?: string
  /** Hands out a result as soon as its outputs are there, up to some 40 ms before its receipt: nothing proves it yet. @default false */
  readonly unsigned?: boolean
}

export interface TaskResult {
  readonly task: TaskId
  readonly model: ModelCid
  /** The attempt that counted; more than 1 when the task was moved. */
  readonly attempt: number
  readonly outputs: Readonly<Record<string, Tensor>>
  readonly car: PeerId
  readonly carAccount: AccountId
  /** Whether the receipt is there; false only for who asked for `unsigned`. */
  readonly signed: boolean
  /** A receipt file with its opening (the salt); `motorpool verify` reads it offline. Made when it is first read; empty while not `signed`. */
  readonly receipt: Uint8Array
  /** The receipt, when it is there and holds; rejects `ERR_BAD_RESULT` when the car fails to prove what it delivered. */
  readonly receipted: Promise<Uint8Array>
  /** Until its block is checked (trust.md). */
  readonly provisional: boolean
  /** `totalMs` from submission, of it `sendUs` to journal, hash and hand over the input of this attempt and `checkUs` to check the result; the others as the car declares them. */
  readonly times: { readonly totalMs: number; readonly sendUs: number; readonly queuedUs: number; readonly ranUs: number; readonly checkUs: number }
}

/** One task of a job; `key` is the caller's own name for it, unique in the job. */
export interface JobTask {
  readonly key: string
  readonly inputs: TaskInputs
  readonly parameters?: RunOptions['parameters']
}

export interface Job extends Omit<RunOptions, 'parameters'> {
  /** A model's name or CID. */
  readonly model: string
  /** Read as cars have room, so a generator may produce them late. */
  readonly tasks: Iterable<JobTask> | AsyncIterable<JobTask>
  /** Hears of every step, for progress bars and logs. */
  readonly onEvent?: (event: ClientEvent) => void
}

/** How a job's task ended; each key ends exactly once. */
export type JobOutcome =
  | { readonly key: string; readonly status: 'done'; readonly result: TaskResult }
  | { readonly key: string; readonly status: 'failed'; readonly error: MotorpoolError }

/** What a client tells of its work as it goes. */
export type ClientEvent =
  | { readonly type: 'announced'; readonly round: number; readonly recipients: number }
  | { readonly type: 'offered'; readonly car: PeerId }
  | { readonly type: 'lease-opened'; readonly car: PeerId; readonly slots: number }
  | { readonly type: 'lease-closed'; readonly car: PeerId; readonly reason: 'lost' | 'leaving' | 'released' | 'refused' | 'idle' | 'stopped' }
  /** A car's vehicle is needed; what doesn't end in that time moves. */
  | { readonly type: 'leaving'; readonly car: PeerId; readonly secondsLeft: number }
  | { readonly type: 'assigned'; readonly key: string; readonly task: TaskId; readonly attempt: number; readonly car: PeerId }
  | { readonly type: 'moved'; readonly key: string; readonly task: TaskId; readonly from: PeerId; readonly reason: string }
  | { readonly type: 'dropped-late'; readonly task: TaskId; readonly attempt: number; readonly car: PeerId }

/** What a client did since it started, and the leases that it holds now. */
export interface ClientCounts {
  readonly leases: number
  readonly submitted: number
  readonly done: number
  readonly failed: number
  /** Attempts that ended without a result and went to another car. */
  readonly moved: number
  /** Results of attempts that no longer counted. */
  readonly droppedLate: number
}
