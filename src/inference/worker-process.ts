import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { MotorpoolError } from '../protocol/errors.ts'
import { killProcess } from './kill-process.ts'
import { watchMemory } from './memory-watchdog.ts'
import type { ModelSignature, NumericsClass } from './runner.ts'
import { createFrameReader } from './socket/frame-reader.ts'
import { createFrameWriter } from './socket/frame-writer.ts'
import type { WorkerReply, WorkerRequest } from './socket/messages.ts'
import { createReplyReader } from './socket/read-reply.ts'
import { openRunNote } from './socket/run-note.ts'
import { openSocketPair } from './socket/socket-pair.ts'
import { DATA_DESCRIPTOR, type WorkerConfiguration, type WorkerReport } from './worker-messages.ts'

/** The entry file beside this one, as source or as built. */
const ENTRY = fileURLToPath(new URL(`./worker/main${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url))

/** Major collections of a small heap take a third of a busy worker's CPU unless the heap may grow (docs of V8: heap growing). */
const NODE_FLAGS = ['--heap-growing-percent=400', '--no-warnings']

/** Characters of a dying worker's last words that are kept. */
const LAST_WORDS = 4096

/** What the system, V8 or ONNX Runtime print when memory ran out and the process gave up. */
const OUT_OF_MEMORY = /out of memory|bad_alloc|allocation failed|cannot allocate/i

/** Why a worker ended: killed by us for a reason, refused its model, or died by itself. */
export interface WorkerEnd {
  readonly reason: string
  readonly error: MotorpoolError
}

export interface LoadedWorker {
  readonly numerics: NumericsClass
  readonly signature: ModelSignature
}

export interface WorkerProcessInit extends WorkerConfiguration {
  /** An empty folder: its working directory, home and place for temporary files. */
  readonly folder: string
  /** Where this runner's workers keep compiled code for the next; shared with nobody, so that a bad model reaches no other's. */
  readonly codeFolder: string
  readonly onReply: (reply: WorkerReply) => void
  readonly signal: AbortSignal
}

/** One live worker process; `ended` always resolves, after the last reply that it managed to send. */
export interface WorkerProcess {
  readonly pid: number | undefined
  /** Resolves when the model is ready; rejects when the worker ends before. */
  readonly loaded: Promise<LoadedWorker>
  readonly ended: Promise<WorkerEnd>
  /** Throws `ERR_TOO_LARGE` for what cannot be sent. */
  send: (request: WorkerRequest) => void
  /** The tasks that began last, as the worker noted: what ran, once it has ended. */
  begun: () => readonly number[]
  /** Ends the process at once; `error` then tells why. */
  kill: (error: MotorpoolError) => void
}

/**
 * Starts a process that loads a model at nice 10 with a minimal environment and no way to the terminal. Rejects when the signal
 * has aborted, before anything is started.
 */
export async function startWorkerProcess(init: WorkerProcessInit): Promise<WorkerProcess> {
  const { folder, codeFolder, onReply, signal, ...configuration } = init
  const note = openRunNote(folder)
  let killedFor: MotorpoolError | undefined
  const kill = (error: MotorpoolError): void => {
    killedFor ??= error
    killProcess(child)
  }
  const hear = (reply: WorkerReply): void => {
    if (killedFor === undefined) onReply(reply)
  }
  const read = replyReader(hear, kill)
  // Where a socket can have no name here, such as in a folder with a long path, the pair that spawn makes will do.
  const pair = await openSocketPair(folder, read).catch(() => undefined)
  if (signal.aborted) {
    note.close()
    pair?.ours.destroy()
    pair?.theirs.destroy()
    throw new MotorpoolError('ERR_STOPPED', 'the runner has stopped; start another')
  }
  const child = spawn(process.execPath, [...NODE_FLAGS, ENTRY, JSON.stringify(configuration)], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', HOME: folder, TMPDIR: folder, ORT_DISABLE_TELEMETRY: '1', NODE_COMPILE_CACHE: codeFolder },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc', pair?.theirs ?? 'pipe', note.descriptor]
  })
  pair?.theirs.destroy()
  const socket = pair?.ours ?? (child.stdio[DATA_DESCRIPTOR] as Socket | null)
  if (pair === undefined) socket?.on('data', read)

  let lastWords = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-LAST_WORDS)
  })

  const stopWatching = new AbortController()
  const loaded = Promise.withResolvers<LoadedWorker>()
  loaded.promise.catch(() => {})
  child.on('message', (report: WorkerReport) => {
    if (report.type === 'loaded') loaded.resolve(report)
    else if (report.type === 'refused') kill(new MotorpoolError(report.code, report.message))
    else if (child.pid !== undefined) watchMemory(child.pid, { limitBytes: init.memoryLimitBytes, onExceeded: kill, signal: stopWatching.signal })
  })

  const ended = Promise.all([endOf(child), closed(socket)]).then(([how]): WorkerEnd => {
    stopWatching.abort()
    note.close()
    const error = killedFor ?? deathError(how, lastWords)
    loaded.reject(error)
    return { reason: killedFor === undefined ? how : `${how}: ${killedFor.message}`, error }
  })

  return { pid: child.pid, loaded: loaded.promise, ended, send: requestWriter(socket), begun: note.read, kill }
}

/** Reads replies; a worker that breaks the protocol is killed. */
function replyReader(onReply: (reply: WorkerReply) => void, kill: (error: MotorpoolError) => void): (chunk: Uint8Array) => void {
  const readReply = createReplyReader()
  const read = createFrameReader(body => onReply(readReply(body)))
  return chunk => {
    try {
      read(chunk)
    } catch (cause) {
      kill(new MotorpoolError('ERR_WORKER_DIED', 'the worker sent what is no reply and was killed; submit again', { cause, retryable: true }))
    }
  }
}

function requestWriter(socket: Socket | null): (request: WorkerRequest) => void {
  const write = createFrameWriter()
  // The end of the process tells more than its broken socket.
  socket?.on('error', () => {})
  let corked = false
  const release = (): void => {
    corked = false
    socket?.uncork()
  }
  return request => {
    const frame = write(request)
    if (!socket) return
    // What comes in one turn of the event loop goes out in one write.
    if (!corked) {
      corked = true
      socket.cork()
      process.nextTick(release)
    }
    for (const part of frame) socket.write(part)
  }
}

/** Resolves once a socket has been read to its end. */
function closed(socket: Socket | null): Promise<void> {
  return new Promise(resolve => {
    if (socket === null || socket.closed) resolve()
    else socket.once('close', () => resolve())
  })
}

/** Resolves with words for how a process ended, once its pipes have been read to their ends. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise(resolve => {
    child.once('error', error => {
      if (child.pid === undefined) resolve(`it could not be started (${error.message})`)
    })
    child.once('close', (code, signal) => resolve(signal === null ? `exited with code ${code}` : `killed by ${signal}`))
  })
}

function deathError(how: string, lastWords: string): MotorpoolError {
  if (OUT_OF_MEMORY.test(lastWords))
    return new MotorpoolError('ERR_MEMORY_LIMIT', 'the worker ran out of the memory it may take and died; send a smaller input')
  const error = /^\w*Error: .{1,200}/m.exec(lastWords)?.[0]
  return new MotorpoolError('ERR_WORKER_DIED', `the worker died (${how}${error === undefined ? '' : `, ${error}`}); submit again`, { retryable: true })
}
