import { existsSync, readdirSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { Socket } from 'node:net'
import { constants, setPriority } from 'node:os'
import { valueDigest } from '../../protocol/digest.ts'
import { isMotorpoolError, type MotorpoolError } from '../../protocol/errors.ts'
import { createFrameReader } from '../../protocol/frames.ts'
import type { Value } from '../../protocol/tensor.ts'
import { fromWireValue, openFrame, type Wire, WORKER_FRAME_LIMIT, type WorkerReply, type WorkerRequest, workerFrame } from '../worker-frames.ts'
import { DATA_DESCRIPTOR, type WorkerConfiguration, type WorkerReport } from '../worker-messages.ts'
import { limitMemory } from './memory-limit.ts'
import { numericsClass } from './numerics.ts'
import { loadError, runError } from './ort-errors.ts'
import { dieWithParent, leave } from './parent-watch.ts'
import type { LoadedTask } from './task.ts'

/* The entry of a worker process: loads one model, then answers run requests one after another, in their order. */

const configuration = JSON.parse(process.argv[2] ?? '{}') as WorkerConfiguration

/** A task that has arrived and waits for its turn. */
interface Waiting {
  readonly id: number
  readonly value: Value
  readonly arrivedMs: number
}

async function load(): Promise<LoadedTask> {
  const { model, threads, memoryLimitBytes } = configuration
  // All code is in before the limit is set, so that the limit counts what the model takes.
  const loadTask = model.task === 'ocr' ? (await import('../ocr/ocr-task.ts')).loadOcrTask : (await import('./tensors-task.ts')).loadTensorsTask
  if (!limitMemory(memoryLimitBytes)) report({ type: 'unconfined' })
  return await loadTask(model, threads)
}

/**
 * From here on the peer's heartbeats come first; before, a new worker should be ready soon even on a busy machine. Linux
 * keeps a priority for each thread, and ONNX Runtime's are there by now.
 */
function stepBack(): void {
  const threads = existsSync('/proc/self/task') ? readdirSync('/proc/self/task').map(Number) : [0]
  for (const thread of threads) {
    try {
      setPriority(thread, constants.priority.PRIORITY_BELOW_NORMAL)
    } catch {
      // The thread has ended, or the system forbids it and the worker keeps the peer's own priority.
    }
  }
}

function report(message: WorkerReport): void {
  process.send?.(message)
}

function serve(task: LoadedTask): void {
  const socket = new Socket({ fd: DATA_DESCRIPTOR, readable: true, writable: true })
  const waiting: Waiting[] = []
  let busy = false

  const send = (reply: WorkerReply): void => {
    const frame = workerFrame(reply)
    socket.cork()
    for (const part of frame) socket.write(part)
    socket.uncork()
  }

  const answer = async ({ id, value, arrivedMs }: Waiting): Promise<void> => {
    const startedMs = performance.now()
    try {
      const output = await task.run(value)
      const ranUs = Math.round((performance.now() - startedMs) * 1000)
      send({ type: 'done', id, value: output, digest: valueDigest(output), waitedUs: Math.round((startedMs - arrivedMs) * 1000), ranUs })
    } catch (error) {
      send(failure(id, runError(error)))
    }
  }

  const work = async (): Promise<void> => {
    busy = true
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await answer(next)
      // One turn of the event loop, so that a drop that came during the run is heard before the next one begins.
      if (waiting.length > 0) await new Promise(resolve => setImmediate(resolve))
    }
    busy = false
  }

  const read = createFrameReader({
    limit: WORKER_FRAME_LIMIT,
    onFrame: (parts, length) => {
      const { head, take } = openFrame(parts, length)
      const request = head as Wire<WorkerRequest>
      if (request.type === 'run') {
        waiting.push({ id: request.id, value: fromWireValue(request.value, take), arrivedMs: performance.now() })
        if (!busy) void work()
        return
      }
      const at = waiting.findIndex(({ id }) => id === request.id)
      if (at !== -1) waiting.splice(at, 1)
    }
  })
  socket.on('data', read)
  socket.on('error', leave)
  socket.on('close', leave)
}

function failure(id: number, error: MotorpoolError): WorkerReply {
  // An output that is too large was the model's doing, not the caller's.
  const code = error.code === 'ERR_TOO_LARGE' ? 'ERR_RUN_FAILED' : error.code
  return { type: 'failed', id, code, message: error.message }
}

// An interrupt from the terminal reaches the whole process group; the peer decides when its workers end.
process.on('SIGINT', () => {})
dieWithParent()
try {
  const task = await load()
  stepBack()
  serve(task)
  report({ type: 'loaded', numerics: numericsClass(configuration.threads), signature: task.signature })
  // A worker is killed, not ended, so what the next one can use of its compiled code is written now.
  setImmediate(flushCompileCache)
} catch (error) {
  const { code, message } = isMotorpoolError(error) ? error : loadError(error)
  report({ type: 'refused', code, message })
}
