import type { MotorpoolError } from '../../protocol/errors.ts'
import type { TaskId } from '../../protocol/ids.ts'
import type { Value } from '../../protocol/tensor.ts'
import type { ClientEvent, TaskResult } from '../client.ts'
import type { AwardedLease } from '../contacts.ts'
import type { ArrivedResult, Attempt, ProvenResult } from './exchange.ts'

export interface TaskSubmission {
  readonly key: string
  readonly value: Value
  readonly deadlineMs: number
  /** Wished time until it is done, ms: cars are added to meet it. */
  readonly targetMs: number
  readonly signal: AbortSignal | undefined
  readonly unsigned: boolean
  readonly onEvent: ((event: ClientEvent) => void) | undefined
}

/** A submitted task until it ends. */
export interface Submission extends Pick<TaskSubmission, 'key' | 'value' | 'unsigned' | 'signal' | 'onEvent'> {
  readonly task: TaskId
  readonly digest: Uint8Array
  readonly submittedMs: number
  readonly resolve: (result: TaskResult) => void
  readonly reject: (error: MotorpoolError) => void
  /** Listens to the caller's signal, if there is one. */
  onAbort: (() => void) | undefined
  /** Once the caller has the outputs and only the receipt is still to come, from this attempt. */
  receipted: PromiseWithResolvers<Uint8Array> | undefined
  /** The current attempt, and the lease that it went to. */
  attempt: Attempt | undefined
  held: AwardedLease | undefined
  sendUs: number
  /** Outputs of the current attempt. */
  arrived: ArrivedResult | undefined
  /** To read, hash and prove them, microseconds. */
  checkUs: number
  proven: ProvenResult | undefined
}

/** What became of a client's tasks of one model. */
export interface TaskCounts {
  submitted: number
  done: number
  failed: number
  moved: number
}

/** Gives the caller a result; the caller's signal is of no concern after it. */
export function fulfil(submission: Submission, result: TaskResult): void {
  stopListening(submission)
  submission.receipted?.resolve(result.receipt)
  submission.resolve(result)
}

/** Gives a caller who asked for speed what nothing proves yet. */
export function handOut(submission: Submission, result: TaskResult): void {
  stopListening(submission)
  submission.resolve(result)
}

/** Tells the caller, or who waits for the receipt of what was handed out, that it failed. */
export function refuse(submission: Submission, error: MotorpoolError): void {
  stopListening(submission)
  submission.receipted?.reject(error)
  submission.reject(error)
}

function stopListening({ signal, onAbort }: Submission): void {
  if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort)
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
