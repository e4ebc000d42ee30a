import type { Stream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { abortError } from '../../protocol/errors.ts'
import { linkClosed } from './link-closed.ts'

/** Writes to a stream: everything of one tick in one send, and a true answer to whether it takes more. */
export interface StreamWriter {
  /** Bytes go out at the end of this tick, in order; they must not change until they have been sent. */
  write: (bytes: Uint8Array) => void
  /** Whether the stream is open and takes more: it has handed on what was written, and this tick's share is not full. */
  readonly ready: boolean
  /** Resolves when it is ready; rejects `ERR_LINK_CLOSED` when the stream closes first. */
  untilReady: () => Promise<void>
  /** Settles a promise in the same way, or with `ERR_ABORTED` when the signal aborts first. */
  whenReady: (done: PromiseWithResolvers<void>, signal: AbortSignal | undefined) => void
  readonly unsentBytes: number
}

/** What may gather in one tick; with one message more it is about half a window, for which the other side needs no answer at once. */
const MOST_QUEUED_BYTES = 96 * 1024

/** Parts that are smaller in the mean are joined: every layer below handles each by itself, which costs more than to copy so much. */
const WORTH_COPYING_BYTES = 4 * 1024

interface Waiter {
  readonly done: PromiseWithResolvers<void>
  readonly signal: AbortSignal | undefined
}

/**
 * `send()` returning false means that bytes wait in the stream; `onDrain()` resolves too early from its second call on, so
 * this listens to the events and looks at the buffer itself.
 */
export function createStreamWriter(stream: Stream, onReady: () => void = () => {}): StreamWriter {
  let queued: Uint8Array[] = []
  let queuedBytes = 0
  let saturated = false
  let waiting: Waiter[] = []

  const isOpen = () => stream.status === 'open' && stream.writeStatus === 'writable'
  const settle = (error?: Error) => {
    const settled = waiting
    waiting = []
    for (const { done, signal } of settled) {
      if (signal?.aborted === true) done.reject(abortError(signal))
      else if (error === undefined) done.resolve()
      else done.reject(error)
    }
  }
  const flush = () => {
    const parts = queued
    const bytes = queuedBytes
    queued = []
    queuedBytes = 0
    const isWorthCopying = parts.length > 1 && bytes < parts.length * WORTH_COPYING_BYTES
    try {
      saturated = !stream.send(isWorthCopying ? Buffer.concat(parts, bytes) : new Uint8ArrayList(...parts)) || saturated
    } catch (error) {
      settle(linkClosed('the stream was closed', error))
      return
    }
    if (saturated) {
      for (const waiter of waiting) listenForAbort(waiter)
      return
    }
    settle()
    onReady()
  }
  const look = () => {
    if (!saturated || stream.writableNeedsDrain || stream.writeBufferLength > 0) return
    saturated = false
    if (queued.length === 0) settle()
    onReady()
  }
  // The stream goes on with its own buffer in a microtask that it queues before this one.
  const lookSoon = () => {
    if (saturated) queueMicrotask(look)
  }
  stream.addEventListener('drain', lookSoon)
  stream.addEventListener('idle', lookSoon)
  stream.addEventListener('close', () => settle(linkClosed('the stream was closed')))

  return {
    write: bytes => {
      if (queued.length === 0) queueMicrotask(flush)
      queued.push(bytes)
      queuedBytes += bytes.byteLength
    },
    get ready() {
      return !saturated && queuedBytes < MOST_QUEUED_BYTES && isOpen()
    },
    untilReady: async () => {
      if (!isOpen()) throw linkClosed('the stream was closed')
      if (!saturated && queued.length === 0) return
      const done = Promise.withResolvers<void>()
      waiting.push({ done, signal: undefined })
      return done.promise
    },
    whenReady: (done, signal) => {
      waiting.push({ done, signal })
    },
    get unsentBytes() {
      return stream.writeBufferLength + queuedBytes
    }
  }
}

/** Only of one that waits: most are settled in the turn that they come in. */
function listenForAbort({ done, signal }: Waiter): void {
  if (signal === undefined) return
  const onAbort = (): void => done.reject(abortError(signal))
  if (signal.aborted) return onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  const forget = (): void => signal.removeEventListener('abort', onAbort)
  done.promise.then(forget, forget)
}
