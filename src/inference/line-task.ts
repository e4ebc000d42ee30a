import type { MotorpoolError } from '../protocol/errors.ts'
import type { RunRequest, RunResult } from './runner.ts'

/** One task between acceptance and its end. */
export interface LineTask {
  readonly id: number
  readonly request: RunRequest
  readonly byteLength: number
  readonly acceptedMs: number
  readonly deadlineMs: number
  sentMs: number
  /** The place of the worker that has it. */
  seat: Seat | undefined
  /** Its batch took the worker with it, so it must have no company any more. */
  alone: boolean
  /** The caller has its answer (a result, or an error before the worker's reply). */
  settled: boolean
  readonly resolve: (result: RunResult) => void
  readonly reject: (error: MotorpoolError) => void
  /** Ends the caller's say in it. */
  readonly release: () => void
}

/** One of the workers that a line feeds; its process may be replaced. */
export interface LineWorker {
  /** Whether it is there with its model loaded. */
  readonly isReady: () => boolean
  /** Hands a task to it; throws a MotorpoolError if it cannot be sent. */
  readonly send: (task: LineTask) => void
  /** Takes back a task that it has but has not begun. */
  readonly drop: (task: LineTask) => void
  /** The ids of the tasks that it began last, as it notes them; none before the first. */
  readonly begun: () => readonly number[]
  /** The running task is over its time, or still runs long after its caller gave up. */
  readonly kill: (error: MotorpoolError) => void
}

/** A worker's place in the line. */
export interface Seat {
  readonly worker: LineWorker
  readonly tasks: LineTask[]
  /** Of its tasks, those that somebody waits for, and their bytes. */
  open: number
  openBytes: number
  /** What ran when it was killed: its answers no longer count. */
  killed: readonly LineTask[] | undefined
}

/** Replies come several at once, so what runs is what the worker noted; while it has noted none of its tasks, the first one is next. */
export function running({ worker, tasks, killed }: Seat): readonly LineTask[] {
  if (killed !== undefined) return killed
  const begun = worker.begun()
  const ran = tasks.filter(({ id }) => begun.includes(id))
  return ran.length > 0 ? ran : tasks.slice(0, 1)
}

export function inputBytes({ input }: RunRequest): number {
  let sum = 0
  for (const { data } of Object.values(input.tensors)) sum += data.byteLength
  return sum
}
