import { abortError, MotorpoolError } from '../protocol/errors.ts'
import type { RunRequest, RunResult } from './runner.ts'
import type { WorkerReply } from './worker-frames.ts'

/** Tasks that may be in the worker at once: one that runs and the next, whose input is there when the first ends. */
const DEPTH = 2

/** Longer waits than this are none (setTimeout's limit). */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** One task between acceptance and its end. */
export interface LineTask {
  readonly id: number
  readonly request: RunRequest
  readonly acceptedMs: number
  sentMs: number
  /** The caller has its answer (a result, or an error before the worker's reply). */
  settled: boolean
  readonly resolve: (result: RunResult) => void
  readonly reject: (error: MotorpoolError) => void
}

export interface TaskLineInit {
  /** Whether there is a worker with its model loaded. */
  readonly isReady: () => boolean
  /** Hands a task to the worker; throws a MotorpoolError if it cannot be sent. */
  readonly send: (task: LineTask) => void
  /** Takes back a task that the worker has but has not begun. */
  readonly drop: (task: LineTask) => void
  /** The running task is over its time, or still runs long after its caller gave up. */
  readonly kill: (error: MotorpoolError) => void
  readonly killAfterAbortMs: number
}

/** The tasks of one runner in their order: those that wait, and up to two in the worker, of which the first runs. */
export interface TaskLine {
  add: (request: RunRequest, signal: AbortSignal | undefined) => Promise<RunResult>
  /** Sends what the worker has room for. */
  pump: () => void
  /** The worker's answer to the task that ran. Throws `ERR_WORKER_DIED` when it answers another. */
  settle: (reply: WorkerReply) => void
  /** The worker is gone: the task that ran fails with `error`, if there is one; the others wait again, first in line. */
  lose: (error?: MotorpoolError) => void
  /** Fails every task. */
  rejectAll: (error: MotorpoolError) => void
}

export function createTaskLine(init: TaskLineInit): TaskLine {
  const waiting: LineTask[] = []
  const inWorker: LineTask[] = []
  let nextId = 0

  /** Gives the caller an error before the worker has replied, and sees to it that the task soon takes no more time. */
  const giveUp = (task: LineTask, error: MotorpoolError, graceMs: number): void => {
    task.reject(error)
    if (remove(waiting, task)) return
    if (inWorker[0] !== task) {
      if (remove(inWorker, task)) init.drop(task)
      pump()
      return
    }
    const stopIfRunning = (): void => {
      if (inWorker[0] === task) init.kill(error)
    }
    if (graceMs === 0) stopIfRunning()
    else setTimeout(stopIfRunning, graceMs).unref()
  }

  const pump = (): void => {
    while (init.isReady() && inWorker.length < DEPTH) {
      const task = waiting.shift()
      if (task === undefined) return
      try {
        task.sentMs = performance.now()
        init.send(task)
        inWorker.push(task)
      } catch (error) {
        task.reject(
          error instanceof MotorpoolError
            ? error
            : new MotorpoolError('ERR_INVALID_INPUT', 'the input cannot be encoded; send canonical tensors', { cause: error })
        )
      }
    }
  }

  const add: TaskLine['add'] = (request, signal) =>
    new Promise((resolve, reject) => {
      const settle = (): void => {
        task.settled = true
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
      }
      const task: LineTask = {
        id: nextId++,
        request,
        acceptedMs: performance.now(),
        sentMs: 0,
        settled: false,
        resolve: result => {
          settle()
          resolve(result)
        },
        reject: error => {
          settle()
          reject(error)
        }
      }
      const abort = (): void => giveUp(task, abortError(signal as AbortSignal), init.killAfterAbortMs)
      const overdue = (): void =>
        giveUp(task, new MotorpoolError('ERR_TIME_LIMIT', `the task took longer than its ${request.limitMs} ms; give it more time or a smaller input`), 0)
      const timer = setTimeout(overdue, Math.min(request.limitMs, LONGEST_TIMER_MS))
      signal?.addEventListener('abort', abort, { once: true })
      waiting.push(task)
      pump()
    })

  const settle: TaskLine['settle'] = reply => {
    const task = inWorker.shift()
    if (task?.id !== reply.id)
      throw new MotorpoolError('ERR_WORKER_DIED', 'the worker answered a task that it was not running; submit again', { retryable: true })
    pump()
    if (task.settled) return
    if (reply.type === 'failed') {
      task.reject(new MotorpoolError(reply.code, reply.message))
      return
    }
    const queuedUs = Math.round((task.sentMs - task.acceptedMs) * 1000) + reply.waitedUs
    task.resolve({ output: reply.value, digest: reply.digest, queuedUs, ranUs: reply.ranUs, together: 1 })
  }

  const lose: TaskLine['lose'] = error => {
    const ran = error === undefined ? undefined : inWorker.shift()
    waiting.unshift(...inWorker.splice(0).filter(task => !task.settled))
    if (error !== undefined && ran?.settled === false) ran.reject(error)
  }

  const rejectAll: TaskLine['rejectAll'] = error => {
    for (const task of [...inWorker.splice(0), ...waiting.splice(0)]) if (!task.settled) task.reject(error)
  }

  return { add, pump, settle, lose, rejectAll }
}

function remove(tasks: LineTask[], task: LineTask): boolean {
  const at = tasks.indexOf(task)
  if (at === -1) return false
  tasks.splice(at, 1)
  return true
}
