import { anySignal, isMotorpoolError, MotorpoolError } from '../protocol/errors.ts'
import type { Job, JobOutcome, JobTask, TaskResult } from './client.ts'

/** Tasks of a job that are open at once: enough to fill many cars, few enough to hold in memory. */
const OPEN_TASKS = 64

/**
 * Runs a job's tasks, a window of them at once, and yields each outcome as it comes. Every task that was read yields
 * exactly one. Leaving the loop, or an error of the task source, aborts what is open.
 */
export async function* runJob(job: Job, run: (task: JobTask, signal: AbortSignal) => Promise<TaskResult>): AsyncGenerator<JobOutcome, void, undefined> {
  const ended = new AbortController()
  const signal = anySignal(job.signal, ended.signal)
  const source = iterate(job.tasks)
  const open = new Map<number, Promise<{ readonly index: number; readonly outcome: JobOutcome }>>()
  let count = 0
  let reading: Promise<IteratorResult<JobTask>> | undefined
  let exhausted = false
  try {
    while (!exhausted || open.size > 0) {
      if (!exhausted && open.size < OPEN_TASKS) reading ??= source.next()
      const next = await Promise.race([...(reading === undefined ? [] : [reading.then(read => ({ read }))]), ...open.values()])
      if ('read' in next) {
        reading = undefined
        if (next.read.done === true) exhausted = true
        else open.set(count, settle(count, next.read.value, run(next.read.value, signal)))
        count++
      } else {
        open.delete(next.index)
        yield next.outcome
      }
    }
  } finally {
    ended.abort(new MotorpoolError('ERR_ABORTED', 'the job was left before it ended; submit the rest again'))
    await Promise.all(open.values())
    await source.return?.()
  }
}

async function settle(index: number, task: JobTask, running: Promise<TaskResult>): Promise<{ readonly index: number; readonly outcome: JobOutcome }> {
  try {
    return { index, outcome: { key: task.key, status: 'done', result: await running } }
  } catch (cause) {
    const error = isMotorpoolError(cause)
      ? cause
      : new MotorpoolError(
          'ERR_RUN_FAILED',
          `the task could not be run: ${cause instanceof Error ? cause.message : String(cause)}; report this with the task`,
          { cause }
        )
    return { index, outcome: { key: task.key, status: 'failed', error } }
  }
}

function iterate<T>(tasks: Iterable<T> | AsyncIterable<T>): AsyncIterator<T> {
  if (Symbol.asyncIterator in tasks) return tasks[Symbol.asyncIterator]()
  return (async function* () {
    yield* tasks
  })()
}
