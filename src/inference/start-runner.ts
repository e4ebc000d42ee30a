import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MotorpoolError, throwIfAborted } from '../protocol/errors.ts'
import { LIMITS } from '../protocol/limits.ts'
import { elementCount } from '../protocol/tensor.ts'
import type { RunnableModel, Runner, RunnerOptions, RunRequest } from './runner.ts'
import { createTaskLine } from './task-line.ts'
import type { LoadedWorker } from './worker-process.ts'
import { openWorkerSeat, type WorkerSeat } from './worker-seat.ts'

const GIB = 1024 ** 3
const DEFAULTS = { workers: 1, threads: 1, memoryLimitBytes: 2 * GIB, killAfterAbortMs: 1000, loadLimitMs: 60_000 } as const

/** Tasks that may be in a worker at once where they may share runs: two full batches. */
const BATCH_DEPTH = 64

/** A killed process is gone in milliseconds; one that the system holds on to doesn't hold up the driver. */
const STOP_LIMIT_MS = 1900

/**
 * Loads a model into worker processes of its own. Errors: `ERR_BAD_MODEL` (ORT refuses the file, or it crashes or hangs
 * the process that loads it), `ERR_MEMORY_LIMIT`, `ERR_INVALID_OPTION`. From then on a worker that dies is replaced.
 */
export async function startRunner(model: RunnableModel, options: RunnerOptions = {}): Promise<Runner> {
  const settings = { ...DEFAULTS, ...options }
  checkOptions(settings)
  const folder = await mkdtemp(join(tmpdir(), 'motorpool-worker-'))
  const stopping = new AbortController()
  const line = createTaskLine({ ...(model.batching === 'rows' ? { depth: BATCH_DEPTH } : {}), killAfterAbortMs: settings.killAfterAbortMs })
  const seats: WorkerSeat[] = []
  const stop = async (error: MotorpoolError): Promise<void> => {
    stopping.abort()
    line.rejectAll(error)
    for (const seat of seats) seat.kill(error)
    await Promise.race([Promise.all(seats.map(({ ended }) => ended)), delay(STOP_LIMIT_MS, undefined, { ref: false })])
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }

  for (let number = 0; number < settings.workers; number++) {
    const workFolder = join(folder, `work-${number}`)
    await mkdir(workFolder)
    seats.push(
      openWorkerSeat({
        model,
        threads: settings.threads,
        memoryLimitBytes: settings.memoryLimitBytes,
        loadLimitMs: settings.loadLimitMs,
        folder: workFolder,
        codeFolder: join(folder, 'code'),
        signal: stopping.signal,
        join: line.join,
        pump: line.pump,
        onRestart: reason => options.onRestart?.(reason),
        // Tasks are handed back, so that another car can run them, when no worker is left here that might.
        onHopeless: error => {
          if (seats.every(({ pid }) => pid === undefined)) line.rejectAll(error)
        }
      })
    )
  }
  const giveUp = (): void => void stop(stopped())
  options.signal?.addEventListener('abort', giveUp, { once: true })
  if (options.signal?.aborted === true) giveUp()
  const loaded = await Promise.all(seats.map(seat => seat.loaded))
    .catch(async (error: unknown) => {
      await stop(stopped())
      throw error
    })
    .finally(() => options.signal?.removeEventListener('abort', giveUp))
  const [first] = loaded as [LoadedWorker, ...LoadedWorker[]]

  return {
    model,
    numerics: first.numerics,
    signature: first.signature,
    get pids() {
      return seats.flatMap(({ pid }) => pid ?? [])
    },
    run: async (request, runOptions) => {
      throwIfAborted(runOptions?.signal)
      if (stopping.signal.aborted) throw stopped()
      checkRequest(request)
      return line.add(request, runOptions?.signal)
    },
    stop: () => stop(stopped())
  }
}

function checkOptions({ workers, threads, memoryLimitBytes }: Required<Pick<RunnerOptions, 'workers' | 'threads' | 'memoryLimitBytes'>>): void {
  if (!Number.isSafeInteger(workers) || workers < 1) throw new MotorpoolError('ERR_INVALID_OPTION', `workers is ${workers}; give a whole number ≥ 1`)
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

function stopped(): MotorpoolError {
  return new MotorpoolError('ERR_STOPPED', 'the runner has stopped; start another')
}
