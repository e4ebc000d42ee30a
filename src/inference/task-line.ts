import { abortError, MotorpoolError } from '../protocol/errors.ts'
import { tasksAhead } from '../protocol/limits.ts'
import { inputBytes, type LineTask, type LineWorker, running, type Seat } from './line-task.ts'
import type { RunRequest, RunResult } from './runner.ts'
import type { WorkerReply } from './socket/messages.ts'

/** Bytes of inputs in the worker above which only the next task is sent ahead: memory is for runs, not for queues. */
const AHEAD_BYTES = 16 * 1024 * 1024

/** Where the worker runs one task after another: one that runs and the next, whose input is there when the first ends; and of short ones more. */
const LEAST_DEPTH = 2
const MEAN_SHARE = 0.2

/** Longer waits than this are none (setTimeout's limit). */
const LONGEST_TIMER_MS = 2 ** 31 - 1

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

export function createTaskLine(init: TaskLineInit): TaskLine {
  const waiting: LineTask[] = []
  const seats: Seat[] = []
  let nextId = 0
  /** Nothing is known to be short before one was measured. */
  let usualUs = Number.POSITIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  let watchedMs = Number.POSITIVE_INFINITY

  const kill = (seat: Seat, ran: readonly LineTask[], error: MotorpoolError): void => {
    seat.killed = ran
    seat.worker.kill(error)
  }

  /** Its caller has been answered: it takes no place in a worker any more. */
  const close = (task: LineTask): void => {
    if (task.settled) return
    task.settled = true
    task.release()
    if (task.seat === undefined) return
    task.seat.open--
    task.seat.openBytes -= task.byteLength
  }

  const refuse = (task: LineTask, error: MotorpoolError): void => {
    close(task)
    task.reject(error)
  }

  /** Gives the caller an error before the worker has replied, and sees to it that the task soon takes no more time. */
  const giveUp = (task: LineTask, error: MotorpoolError, graceMs: number): void => {
    const { seat } = task
    refuse(task, error)
    if (remove(waiting, task) || seat === undefined) return
    const ran = running(seat)
    if (ran.includes(task) && graceMs === 0) return kill(seat, ran, error)
    if (!ran.includes(task)) {
      seat.worker.drop(task)
      pump()
    }
    // It may have begun already when the worker hears of it. A batch that somebody else waits for is left alone.
    const stopIfRunning = (): void => {
      const runs = seat.tasks.includes(task) ? running(seat) : []
      if (runs.includes(task) && runs.every(other => other.settled)) kill(seat, runs, error)
    }
    setTimeout(stopIfRunning, graceMs === 0 ? init.killAfterAbortMs : graceMs).unref()
  }

  const hasRoom = ({ open, openBytes }: Seat, next: LineTask, depth: number): boolean =>
    open < LEAST_DEPTH || (open < depth && openBytes + next.byteLength <= AHEAD_BYTES)

  /** Of the workers with room, the one with the fewest tasks. */
  const pickSeat = (next: LineTask): Seat | undefined => {
    const depth = init.depth ?? tasksAhead(usualUs)
    let best: Seat | undefined
    for (const seat of seats) {
      if (best !== undefined && seat.open >= best.open) continue
      if (seat.worker.isReady() && hasRoom(seat, next, depth)) best = seat
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
        seat.open++
        seat.openBytes += task.byteLength
      } catch (error) {
        refuse(
          task,
          error instanceof MotorpoolError
            ? error
            : new MotorpoolError('ERR_INVALID_INPUT', 'the input cannot be encoded; send canonical tensors', { cause: error })
        )
      }
    }
  }

  const add: TaskLine['add'] = (request, signal) =>
    new Promise((resolve, reject) => {
      const abort = signal && ((): void => giveUp(task, abortError(signal), init.killAfterAbortMs))
      const acceptedMs = performance.now()
      const task: LineTask = {
        id: nextId++,
        request,
        byteLength: inputBytes(request),
        acceptedMs,
        deadlineMs: acceptedMs + request.limitMs,
        sentMs: 0,
        seat: undefined,
        alone: false,
        settled: false,
        resolve,
        reject,
        release: () => abort && signal.removeEventListener('abort', abort)
      }
      if (abort) signal.addEventListener('abort', abort, { once: true })
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
    const task = seat.tasks.find(({ id }) => id === reply.id) ?? stranger()
    remove(seat.tasks, task)
    if (reply.type === 'done') usualUs = meanOf(usualUs, reply.ranUs / reply.together)
    const isLate = task.settled
    close(task)
    pump()
    if (isLate) return
    if (reply.type === 'failed') {
      task.reject(new MotorpoolError(reply.code, reply.message))
      return
    }
    const queuedUs = Math.round((task.sentMs - task.acceptedMs) * 1000) + reply.waitedUs
    task.resolve({ output: reply.value, digest: reply.digest, queuedUs, ranUs: reply.ranUs, together: reply.together })
  }

  const lose = (seat: Seat, error?: MotorpoolError): void => {
    const ran = error === undefined ? [] : running(seat)
    // Who was to run alone had no company, whatever the worker claims.
    const failed = ran.length === 1 ? ran[0] : ran.find(task => task.alone)
    for (const task of ran) task.alone = true
    const back = seat.tasks.splice(0).filter(task => !task.settled && task !== failed)
    for (const task of back) task.seat = undefined
    seat.open = seat.openBytes = 0
    seat.killed = undefined
    waiting.unshift(...back)
    if (error === undefined || failed === undefined || failed.settled) return
    failed.seat = undefined
    refuse(failed, error)
  }

  return {
    join: worker => {
      const seat: Seat = { worker, tasks: [], open: 0, openBytes: 0, killed: undefined }
      seats.push(seat)
      return { settle: reply => settle(seat, reply), lose: error => lose(seat, error) }
    },
    add,
    pump,
    rejectAll: error => {
      for (const task of [...seats.flatMap(seat => seat.tasks.splice(0)), ...waiting.splice(0)]) if (!task.settled) refuse(task, error)
    }
  }
}

function meanOf(usualUs: number, ranUs: number): number {
  return usualUs === Number.POSITIVE_INFINITY ? ranUs : usualUs + (ranUs - usualUs) * MEAN_SHARE
}

function stranger(): never {
  throw new MotorpoolError('ERR_WORKER_DIED', 'the worker answered a task that it does not have; submit again', { retryable: true })
}

function remove(tasks: LineTask[], task: LineTask): boolean {
  const at = tasks.indexOf(task)
  if (at === -1) return false
  tasks.splice(at, 1)
  return true
}
