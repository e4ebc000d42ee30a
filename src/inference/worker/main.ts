import { existsSync, readdirSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { Socket } from 'node:net'
import { constants, setPriority } from 'node:os'
import { isMotorpoolError } from '../../protocol/errors.ts'
import { createFrameReader } from '../socket/frame-reader.ts'
import { createRequestReader } from '../socket/read-request.ts'
import { createReplySender } from '../socket/reply-sender.ts'
import { createRunNoter } from '../socket/run-note.ts'
import { readInto } from '../socket/socket-pair.ts'
import { DATA_DESCRIPTOR, NOTE_DESCRIPTOR, type WorkerConfiguration, type WorkerReport } from '../worker-messages.ts'
import { limitMemory } from './memory-limit.ts'
import { numericsClass } from './numerics.ts'
import { loadError } from './ort-errors.ts'
import { dieWithParent, leave } from './parent-watch.ts'
import { serve } from './serve.ts'
import type { LoadedTask } from './task.ts'

/* The entry of a worker process: loads one model, then answers run requests one after another, in their order. */

const configuration = JSON.parse(process.argv[2] ?? '{}') as WorkerConfiguration

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

function open(task: LoadedTask): void {
  const readRequest = createRequestReader()
  const read = createFrameReader(body => hear(readRequest(body)))
  const socket = new Socket({ fd: DATA_DESCRIPTOR, readable: true, writable: true, onread: readInto(read) })
  const batches = configuration.model.batching === 'rows'
  const hear = serve({ task, replies: createReplySender(socket), note: createRunNoter(NOTE_DESCRIPTOR), batches })
  socket.on('error', leave)
  socket.on('close', leave)
}

// An interrupt from the terminal reaches the whole process group; the peer decides when its workers end.
process.on('SIGINT', () => {})
dieWithParent()
try {
  const task = await load()
  stepBack()
  open(task)
  report({ type: 'loaded', numerics: numericsClass(configuration.threads), signature: task.signature })
  // A worker is killed, not ended, so what the next one can use of its compiled code is written now.
  setImmediate(flushCompileCache)
} catch (error) {
  const { code, message } = isMotorpoolError(error) ? error : loadError(error)
  report({ type: 'refused', code, message })
}
