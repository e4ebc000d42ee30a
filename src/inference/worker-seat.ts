import { setTimeout as delay } from 'node:timers/promises'
import { MotorpoolError } from '../protocol/errors.ts'
import type { LineWorker } from './line-task.ts'
import type { RunnableModel, RunnerOptions } from './runner.ts'
import type { LineSeat } from './task-line.ts'
import { type LoadedWorker, startWorkerProcess, type WorkerProcess } from './worker-process.ts'

/** A model that loaded once and then fails to load again and again: wait longer each time, up to ten seconds. */
const BACKOFF_MS = { first: 100, most: 10_000 } as const
/** Failed loads in a row after which its tasks are no longer kept waiting for it. */
const PATIENCE = 3

export interface WorkerSeatInit extends Required<Pick<RunnerOptions, 'threads' | 'memoryLimitBytes' | 'loadLimitMs'>> {
  readonly model: RunnableModel
  /** An empty folder, the worker's own. */
  readonly folder: string
  readonly codeFolder: string
  readonly signal: AbortSignal
  /** Takes its place in the line of tasks. */
  readonly join: (worker: LineWorker) => LineSeat
  /** It has room, or its tasks need another place. */
  readonly pump: () => void
  readonly onRestart: (reason: string) => void
  /** It has failed to load its model often. */
  readonly onHopeless: (error: MotorpoolError) => void
}

/** A place in the line with a worker process, which is replaced whenever it dies, until the signal aborts. */
export interface WorkerSeat {
  /** Undefined while it is being replaced. */
  readonly pid: number | undefined
  /** The first worker: rejects `ERR_BAD_MODEL`, `ERR_MEMORY_LIMIT`. */
  readonly loaded: Promise<LoadedWorker>
  kill: (error: MotorpoolError) => void
  /** Settles when its last process is gone. */
  readonly ended: Promise<void>
}

export function openWorkerSeat(init: WorkerSeatInit): WorkerSeat {
  const { model, threads, memoryLimitBytes, loadLimitMs, folder, codeFolder, signal } = init
  let worker: WorkerProcess | undefined
  let ready = false

  const kill = (error: MotorpoolError): void => {
    ready = false
    worker?.kill(error)
  }
  const line = init.join({
    isReady: () => ready,
    send: ({ id, request, deadlineMs, alone }) =>
      worker?.send({ type: 'run', id, value: request.input, limitMs: Math.max(1, Math.round(deadlineMs - performance.now())), alone }),
    drop: ({ id }) => worker?.send({ type: 'drop', id }),
    begun: () => worker?.begun() ?? [],
    kill
  })

  const load = async (): Promise<LoadedWorker> => {
    const started = await startWorkerProcess({
      model,
      threads,
      memoryLimitBytes,
      folder,
      codeFolder,
      signal,
      onReply: reply => {
        line.settle(reply)
        // Its memory is as full as it may be, and in pieces: the next task deserves a fresh process.
        if (reply.type === 'failed' && reply.code === 'ERR_MEMORY_LIMIT') {
          ready = false
          line.lose()
          init.pump()
          started.kill(new MotorpoolError(reply.code, reply.message))
        }
      }
    })
    worker = started
    const overdue = setTimeout(() => started.kill(badModel(`does not load within ${loadLimitMs} ms`)), loadLimitMs)
    try {
      const loaded = await started.loaded
      ready = true
      return loaded
    } finally {
      clearTimeout(overdue)
    }
  }

  const supervise = async (): Promise<void> => {
    while (worker !== undefined && !signal.aborted) {
      const { reason, error } = await worker.ended
      ready = false
      line.lose(error)
      init.pump()
      await reload()
      if (signal.aborted) return
      init.pump()
      init.onRestart(reason)
    }
  }

  const reload = async (): Promise<void> => {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        if (failures > 0) await delay(Math.min(BACKOFF_MS.first * 2 ** (failures - 1), BACKOFF_MS.most), undefined, { signal })
        await load()
        return
      } catch (cause) {
        if (failures + 1 >= PATIENCE)
          init.onHopeless(new MotorpoolError('ERR_WORKER_DIED', 'the worker cannot load its model any more; submit to another car', { cause, retryable: true }))
      }
    }
  }

  const loaded = load().catch((error: unknown) => {
    throw error instanceof MotorpoolError && error.code === 'ERR_WORKER_DIED'
      ? badModel(`crashes the process that loads it (${error.message.split(';')[0]})`, error)
      : error
  })
  return {
    get pid() {
      return ready ? worker?.pid : undefined
    },
    loaded,
    kill,
    ended: loaded.then(
      () => supervise(),
      async () => void (await worker?.ended)
    )
  }
}

function badModel(what: string, cause?: unknown): MotorpoolError {
  return new MotorpoolError('ERR_BAD_MODEL', `the model ${what}; export it again`, { cause })
}
