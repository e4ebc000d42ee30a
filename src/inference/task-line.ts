import { abortError, MotorpoolError } from '../protocol/errors.ts'
import type { RunRequest, RunResult } from './runner.ts'
import type { WorkerReply } from './worker-frames.ts'

/** Bytes of inputs in the worker above which only the next task is sent ahead: memory is for runs, not for queues. */
const AHEAD_BYTES = 16 * 1024 * 1024

/** Longer waits than this are none (setTimeout's limit). */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** One task between acceptance and its end. */
export interface LineTask {
  readonly id: number
  readonly request: RunRequest
  readonly acceptedMs: number
  sentMs: number
  /** Its batch took the worker with it, so it must have no company any more. */
  alone: boolean
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
  /** Most tasks in the worker at once, two or more. */
  readonly depth: number
}

/** The tasks of one runner in their order: those that wait, and those in the worker, of which the first or a batch runs. */
export interface TaskLine {
  add: (request: RunRequest, signal: AbortSignal | undefined) => Promise<RunResult>
  /** Sends what the worker has room for. */
  pump: () => void
  /** What the worker says of its tasks. Throws `ERR_WORKER_DIED` when it speaks of others. */
  settle: (reply: WorkerReply) => void
  /**
   * The worker is gone: the task that ran alone fails with `error`, if there is one; the others wait again, first in line, and
   * those of a batch run alone from then on.
   */
  lose: (error?: MotorpoolError) => void
  /** Fails every task. */
  rejectAll: (error: MotorpoolError) => void
}

export function createTaskLine(init: TaskLineInit): TaskLine {
  const waiting: LineTask[] = []
  const inWorker: LineTask[] = []
  /** The batch that runs, as the worker told; empty when it is the first task in the worker. */
  let batch: readonly LineTask[] = []
  let nextId = 0

  const running = (): readonly LineTask[] => (batch.length > 0 ? batch : inWorker.slice(0, 1))

  /** Gives the caller an error before the worker has replied, and sees to it that the task soon takes no more time. */
  const giveUp = (task: LineTask, error: MotorpoolError, graceMs: number): void => {
    task.reject(error)
    if (remove(waiting, task)) return
    if (running().includes(task) && graceMs === 0) return init.kill(error)
    if (!running().includes(task)) {
      init.drop(task)
      pump()
    }
    // It may have begun already when the worker hears of it. A batch that somebody else waits for is left alone.
    const stopIfRunning = (): void => {
      if (running().includes(task) && running().every(other => other.settled)) init.kill(error)
    }
    setTimeout(stopIfRunning, graceMs === 0 ? init.killAfterAbortMs : graceMs).unref()
  }

  const hasRoom = (next: LineTask): boolean => {
    const ahead = inWorker.filter(task => !task.settled)
    if (ahead.length < 2) return true
    return ahead.length < init.depth && ahead.reduce((sum, task) => sum + byteLengthOf(task), byteLengthOf(next)) <= AHEAD_BYTES
  }

  const pump = (): void => {
    while (init.isReady()) {
      const [task] = waiting
      if (task === undefined || !hasRoom(task)) return
      waiting.shift()
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
        alone: false,
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
    if (reply.type === 'began') {
      batch = reply.ids.map(id => inWorker.find(task => task.id === id) ?? stranger())
      return
    }
    const task = inWorker.find(({ id }) => id === reply.id) ?? stranger()
    remove(inWorker, task)
    batch = batch.filter(other => other !== task)
    pump()
    if (task.settled) return
    if (reply.type === 'failed') {
      task.reject(new MotorpoolError(reply.code, reply.message))
      return
    }
    const queuedUs = Math.round((task.sentMs - task.acceptedMs) * 1000) + reply.waitedUs
    task.resolve({ output: reply.value, digest: reply.digest, queuedUs, ranUs: reply.ranUs, together: reply.together })
  }

  const lose: TaskLine['lose'] = error => {
    const ran = error === undefined ? [] : running()
    if (ran.length > 1) for (const task of ran) task.alone = true
    const failed = ran.length === 1 ? ran[0] : undefined
    batch = []
    waiting.unshift(...inWorker.splice(0).filter(task => !task.settled && task !== failed))
    if (error !== undefined && failed?.settled === false) failed.reject(error)
  }

  const rejectAll: TaskLine['rejectAll'] = error => {
    for (const task of [...inWorker.splice(0), ...waiting.splice(0)]) if (!task.settled) task.reject(error)
  }

  return { add, pump, settle, lose, rejectAll }
}

function stranger(): never {
  throw new MotorpoolError('ERR_WORKER_DIED', 'the worker answered a task that it does not have; submit again', { retryable: true })
}

function byteLengthOf({ request }: LineTask): number {
  return Object.values(request.input.tensors).reduce((sum, tensor) => sum + tensor.data.byteLength, 0)
}

function remove(tasks: LineTask[], task: LineTask): boolean {
  const at = tasks.indexOf(task)
  if (at === -1) return false
  tasks.splice(at, 1)
  return true
}
