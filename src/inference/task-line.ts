import { abortError, MotorpoolError } from '../protocol/errors.ts'
import { tasksAhead } from '../protocol/limits.ts'
import type { RunRequest, RunResult } from './runner.ts'
import type { WorkerReply } from './worker-frames.ts'

/** Bytes of inputs in the worker above which only the next task is sent ahead: memory is for runs, not for queues. */
const AHEAD_BYTES = 16 * 1024 * 1024

/** Where the worker runs one task after another: one that runs and the next, whose input is there when the first ends; and of short ones more. */
const LEAST_DEPTH = 2
const MEAN_SHARE = 0.2
/** What a run is taken to take before one was measured, microseconds. */
const FIRST_RUN_US = 1000

/** Longer waits than this are none (setTimeout's limit). */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** One task between acceptance and its end. */
export interface LineTask {
  readonly id: number
  readonly request: RunRequest
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
}

/** One of the workers that a line feeds; its process may be replaced. */
export interface LineWorker {
  /** Whether it is there with its model loaded. */
  readonly isReady: () => boolean
  /** Hands a task to it; throws a MotorpoolError if it cannot be sent. */
  readonly send: (task: LineTask) => void
  /** Takes back a task that it has but has not begun. */
  readonly drop: (task: LineTask) => void
  /** The running task is over its time, or still runs long after its caller gave up. */
  readonly kill: (error: MotorpoolError) => void
}

export interface TaskLineInit {
  readonly killAfterAbortMs: number
  /** Most tasks in one worker at once, two or more. @default two, and more where they are short */
  readonly depth?: number
}

/** What the line hears of one worker. */
export interface LineSeat {
  /** What the worker says of its tasks. Throws `ERR_WORKER_DIED` when it speaks of others. */
  settle: (reply: WorkerReply) => void
  /**
   * The worker is gone: the task that ran alone fails with `error`, if there is one; the others wait again, first in line, and
   * those of a batch run alone from then on.
   */
  lose: (error?: MotorpoolError) => void
}

/** The tasks of one runner in their order: those that wait, and those in its workers, of which the first or a batch runs in each. */
export interface TaskLine {
  /** One more worker to feed. */
  join: (worker: LineWorker) => LineSeat
  add: (request: RunRequest, signal: AbortSignal | undefined) => Promise<RunResult>
  /** Sends what the workers have room for. */
  pump: () => void
  /** Fails every task. */
  rejectAll: (error: MotorpoolError) => void
}

interface Seat {
  readonly worker: LineWorker
  readonly tasks: LineTask[]
  /** The batch that runs, as the worker told; empty when it is the first task in the worker. */
  batch: readonly LineTask[]
}

export function createTaskLine(init: TaskLineInit): TaskLine {
  const waiting: LineTask[] = []
  const seats: Seat[] = []
  let nextId = 0
  let usualUs = FIRST_RUN_US
  let timer: NodeJS.Timeout | undefined
  let watchedMs = Number.POSITIVE_INFINITY

  const running = (seat: Seat): readonly LineTask[] => (seat.batch.length > 0 ? seat.batch : seat.tasks.slice(0, 1))

  /** Gives the caller an error before the worker has replied, and sees to it that the task soon takes no more time. */
  const giveUp = (task: LineTask, error: MotorpoolError, graceMs: number): void => {
    const { seat } = task
    task.reject(error)
    if (remove(waiting, task) || seat === undefined) return
    if (running(seat).includes(task) && graceMs === 0) return seat.worker.kill(error)
    if (!running(seat).includes(task)) {
      seat.worker.drop(task)
      pump()
    }
    // It may have begun already when the worker hears of it. A batch that somebody else waits for is left alone.
    const stopIfRunning = (): void => {
      if (running(seat).includes(task) && running(seat).every(other => other.settled)) seat.worker.kill(error)
    }
    setTimeout(stopIfRunning, graceMs === 0 ? init.killAfterAbortMs : graceMs).unref()
  }

  const depth = (): number => init.depth ?? tasksAhead(usualUs)

  const hasRoom = (ahead: readonly LineTask[], next: LineTask): boolean =>
    ahead.length < LEAST_DEPTH || (ahead.length < depth() && ahead.reduce((sum, task) => sum + byteLengthOf(task), byteLengthOf(next)) <= AHEAD_BYTES)

  /** Of the workers with room, the one with the fewest tasks. */
  const pickSeat = (next: LineTask): Seat | undefined => {
    let best: Seat | undefined
    let fewest = Number.POSITIVE_INFINITY
    for (const seat of seats) {
      if (seat.tasks.length >= fewest || !seat.worker.isReady()) continue
      const ahead = seat.tasks.filter(task => !task.settled)
      if (ahead.length < fewest && hasRoom(ahead, next)) [best, fewest] = [seat, ahead.length]
    }
    return best
  }

  const pump = (): void => {
    for (let [task] = waiting; task !== undefined; [task] = waiting) {
      const seat = pickSeat(task)
      if (seat === undefined) return
      waiting.shift()
      try {
        task.sentMs = performance.now()
        seat.worker.send(task)
        task.seat = seat
        seat.tasks.push(task)
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
        signal?.removeEventListener('abort', abort)
      }
      const acceptedMs = performance.now()
      const task: LineTask = {
        id: nextId++,
        request,
        acceptedMs,
        deadlineMs: acceptedMs + request.limitMs,
        sentMs: 0,
        seat: undefined,
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
      signal?.addEventListener('abort', abort, { once: true })
      waiting.push(task)
      watch(task.deadlineMs)
      pump()
    })

  /** One timer for all tasks, at the first deadline or before it: most tasks are done long before theirs, and set none. */
  const watch = (deadlineMs: number): void => {
    if (deadlineMs >= watchedMs) return
    watchedMs = deadlineMs
    clearTimeout(timer)
    timer = setTimeout(endOverdue, Math.min(Math.ceil(deadlineMs - performance.now()), LONGEST_TIMER_MS)).unref()
  }

  const endOverdue = (): void => {
    watchedMs = Number.POSITIVE_INFINITY
    const nowMs = performance.now()
    for (const task of [...seats.flatMap(seat => seat.tasks), ...waiting]) {
      if (task.settled) continue
      if (task.deadlineMs > nowMs) watch(task.deadlineMs)
      else
        giveUp(task, new MotorpoolError('ERR_TIME_LIMIT', `the task took longer than its ${task.request.limitMs} ms; give it more time or a smaller input`), 0)
    }
  }

  const settle = (seat: Seat, reply: WorkerReply): void => {
    if (reply.type === 'began') {
      seat.batch = reply.ids.map(id => seat.tasks.find(task => task.id === id) ?? stranger())
      return
    }
    const task = seat.tasks.find(({ id }) => id === reply.id) ?? stranger()
    remove(seat.tasks, task)
    if (seat.batch.length > 0) seat.batch = seat.batch.filter(other => other !== task)
    if (reply.type === 'done') usualUs += (reply.ranUs / reply.together - usualUs) * MEAN_SHARE
    pump()
    if (task.settled) return
    if (reply.type === 'failed') {
      task.reject(new MotorpoolError(reply.code, reply.message))
      return
    }
    const queuedUs = Math.round((task.sentMs - task.acceptedMs) * 1000) + reply.waitedUs
    task.resolve({ output: reply.value, digest: reply.digest, queuedUs, ranUs: reply.ranUs, together: reply.together })
  }

  const lose = (seat: Seat, error?: MotorpoolError): void => {
    const ran = error === undefined ? [] : running(seat)
    if (ran.length > 1) for (const task of ran) task.alone = true
    const failed = ran.length === 1 ? ran[0] : undefined
    seat.batch = []
    const back = seat.tasks.splice(0).filter(task => !task.settled && task !== failed)
    for (const task of back) task.seat = undefined
    waiting.unshift(...back)
    if (error !== undefined && failed?.settled === false) failed.reject(error)
  }

  return {
    join: worker => {
      const seat: Seat = { worker, tasks: [], batch: [] }
      seats.push(seat)
      return { settle: reply => settle(seat, reply), lose: error => lose(seat, error) }
    },
    add,
    pump,
    rejectAll: error => {
      for (const task of [...seats.flatMap(seat => seat.tasks.splice(0)), ...waiting.splice(0)]) if (!task.settled) task.reject(error)
    }
  }
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
