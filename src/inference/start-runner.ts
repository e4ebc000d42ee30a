import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MotorpoolError, throwIfAborted } from '../protocol/errors.ts'
import { LIMITS } from '../protocol/limits.ts'
import { elementCount } from '../protocol/tensor.ts'
import type { RunnableModel, Runner, RunnerOptions, RunRequest } from './runner.ts'
import { createTaskLine } from './task-line.ts'
import { type LoadedWorker, startWorkerProcess, type WorkerProcess } from './worker-process.ts'

const GIB = 1024 ** 3
const DEFAULTS = { threads: 1, memoryLimitBytes: 2 * GIB, killAfterAbortMs: 1000, loadLimitMs: 60_000 } as const

/** Tasks that may be in the worker at once: one that runs and the next, whose input is there when the first ends. */
const DEPTH = 2
/** The same where tasks may share runs: two full batches. */
const BATCH_DEPTH = 64

/** A model that loaded once and then fails to load again and again: wait longer each time, up to ten seconds. */
const BACKOFF_MS = { first: 100, most: 10_000 } as const
/** Failed loads in a row after which waiting tasks are handed back, so that another car can run them. */
const PATIENCE = 3
/** A killed process is gone in milliseconds; one that the system holds on to doesn't hold up the driver. */
const STOP_LIMIT_MS = 1900

/**
 * Loads a model into a worker process of its own. Errors: `ERR_BAD_MODEL` (ORT refuses the file, or it crashes or hangs
 * the process that loads it), `ERR_MEMORY_LIMIT`, `ERR_INVALID_OPTION`. From then on a worker that dies is replaced.
 */
export async function startRunner(model: RunnableModel, options: RunnerOptions = {}): Promise<Runner> {
  const settings = { ...DEFAULTS, ...options }
  checkOptions(settings)
  const folder = await mkdtemp(join(tmpdir(), 'motorpool-worker-'))
  const workFolder = join(folder, 'work')
  await mkdir(workFolder)
  const stopping = new AbortController()
  let worker: WorkerProcess | undefined
  let ready = false

  const line = createTaskLine({
    isReady: () => ready,
    send: ({ id, request, acceptedMs, alone }) =>
      worker?.send({ type: 'run', id, value: request.input, limitMs: Math.max(1, Math.round(acceptedMs + request.limitMs - performance.now())), alone }),
    drop: ({ id }) => worker?.send({ type: 'drop', id }),
    depth: model.batching === 'rows' ? BATCH_DEPTH : DEPTH,
    kill: error => {
      ready = false
      worker?.kill(error)
    },
    killAfterAbortMs: settings.killAfterAbortMs
  })

  const load = async (): Promise<LoadedWorker> => {
    const started = startWorkerProcess({
      model,
      threads: settings.threads,
      memoryLimitBytes: settings.memoryLimitBytes,
      folder: workFolder,
      codeFolder: join(folder, 'code'),
      onReply: reply => {
        line.settle(reply)
        // Its memory is as full as it may be, and in pieces: the next task deserves a fresh process.
        if (reply.type === 'failed' && reply.code === 'ERR_MEMORY_LIMIT') {
          ready = false
          line.lose()
          started.kill(new MotorpoolError(reply.code, reply.message))
        }
      }
    })
    worker = started
    const overdue = setTimeout(() => started.kill(badModel(`does not load within ${settings.loadLimitMs} ms`)), settings.loadLimitMs)
    try {
      const loaded = await started.loaded
      ready = true
      return loaded
    } finally {
      clearTimeout(overdue)
    }
  }

  /** Replaces the worker whenever it dies, until the runner stops. */
  const supervise = async (): Promise<void> => {
    while (worker !== undefined && !stopping.signal.aborted) {
      const { reason, error } = await worker.ended
      ready = false
      line.lose(error)
      await reload()
      if (stopping.signal.aborted) return
      line.pump()
      options.onRestart?.(reason)
    }
  }

  const reload = async (): Promise<void> => {
    for (let failures = 0; !stopping.signal.aborted; failures++) {
      try {
        if (failures > 0) await delay(Math.min(BACKOFF_MS.first * 2 ** (failures - 1), BACKOFF_MS.most), undefined, { signal: stopping.signal })
        await load()
        return
      } catch (cause) {
        if (failures + 1 >= PATIENCE)
          line.rejectAll(new MotorpoolError('ERR_WORKER_DIED', 'the worker cannot load its model any more; submit to another car', { cause, retryable: true }))
      }
    }
  }

  const removeFolder = (): Promise<void> => rm(folder, { recursive: true, force: true })
  const first = await load().catch(async (error: unknown) => {
    await removeFolder()
    throw error instanceof MotorpoolError && error.code === 'ERR_WORKER_DIED'
      ? badModel(`crashes the process that loads it (${error.message.split(';')[0]})`, error)
      : error
  })
  const supervised = supervise()

  return {
    model,
    numerics: first.numerics,
    signature: first.signature,
    get pid() {
      return ready ? worker?.pid : undefined
    },
    run: async (request, runOptions = {}) => {
      throwIfAborted(runOptions.signal)
      if (stopping.signal.aborted) throw stopped()
      checkRequest(request)
      return await line.add(request, runOptions.signal)
    },
    stop: async () => {
      stopping.abort()
      line.rejectAll(stopped())
      worker?.kill(stopped())
      await Promise.race([supervised, delay(STOP_LIMIT_MS, undefined, { ref: false })])
      await removeFolder()
    }
  }
}

function checkOptions({ threads, memoryLimitBytes }: { readonly threads: number; readonly memoryLimitBytes: number }): void {
  if (!Number.isSafeInteger(threads) || threads < 1) throw new MotorpoolError('ERR_INVALID_OPTION', `threads is ${threads}; give a whole number ≥ 1`)
  if (!Number.isSafeInteger(memoryLimitBytes) || memoryLimitBytes < 1)
    throw new MotorpoolError('ERR_INVALID_OPTION', `memoryLimitBytes is ${memoryLimitBytes}; give a whole number of bytes ≥ 1`)
}

/** What must hold before an input can travel to the worker, which checks the rest. */
function checkRequest({ input, limitMs }: RunRequest): void {
  if (!(limitMs > 0)) throw new MotorpoolError('ERR_TIME_LIMIT', `no time is left for the task (${limitMs} ms); give it more`)
  const tensors = Object.values(input.tensors)
  if (tensors.length > LIMITS.tensors)
    throw new MotorpoolError('ERR_INVALID_INPUT', `${tensors.length} tensors, at most ${LIMITS.tensors} are allowed; pack them`)
  for (const tensor of tensors) elementCount(tensor.dims)
}

function badModel(what: string, cause?: unknown): MotorpoolError {
  return new MotorpoolError('ERR_BAD_MODEL', `the model ${what}; export it again`, { cause })
}

function stopped(): MotorpoolError {
  return new MotorpoolError('ERR_STOPPED', 'the runner has stopped; start another')
}
