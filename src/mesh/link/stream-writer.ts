import type { Stream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { linkClosed } from './link-closed.ts'

/** Writes to a stream: everything of one tick in one send, and a true answer to whether it takes more. */
export interface StreamWriter {
  /** Bytes go out at the end of this tick, in order; parts must not change until they have been sent. */
  write: (parts: readonly Uint8Array[]) => void
  /** Whether the stream is open and takes more: it has handed on what was written, and this tick's share is not full. */
  readonly ready: boolean
  /** Resolves when it is ready; rejects `ERR_LINK_CLOSED` when the stream closes first. */
  untilReady: () => Promise<void>
  readonly unsentBytes: number
}

/** What may gather in one tick. */
const MOST_QUEUED_BYTES = 256 * 1024

/**
 * `send()` returning false means that bytes wait in the stream; `onDrain()` resolves too early from its second call on, so
 * this listens to the events and looks at the buffer itself.
 */
export function createStreamWriter(stream: Stream, onReady: () => void = () => {}): StreamWriter {
  let queued: Uint8ArrayList | undefined
  let saturated = false
  let waiting: PromiseWithResolvers<void>[] = []

  const isOpen = () => stream.status === 'open' && stream.writeStatus === 'writable'
  const settle = (error?: Error) => {
    const settled = waiting
    waiting = []
    for (const waiter of settled) error === undefined ? waiter.resolve() : waiter.reject(error)
  }
  const flush = () => {
    const bytes = queued
    queued = undefined
    if (bytes === undefined) return
    try {
      saturated = !stream.send(bytes) || saturated
    } catch (error) {
      settle(linkClosed('the stream was closed', error))
      return
    }
    if (saturated) return
    settle()
    onReady()
  }
  const look = () => {
    if (!saturated || stream.writableNeedsDrain || stream.writeBufferLength > 0) return
    saturated = false
    if (queued === undefined) settle()
    onReady()
  }
  // The stream goes on with its own buffer in a microtask that it queues before this one.
  const lookSoon = () => queueMicrotask(look)
  stream.addEventListener('drain', lookSoon)
  stream.addEventListener('idle', lookSoon)
  stream.addEventListener('close', () => settle(linkClosed('the stream was closed')))

  return {
    write: parts => {
      if (queued === undefined) {
        queued = new Uint8ArrayList()
        queueMicrotask(flush)
      }
      for (const part of parts) queued.append(part)
    },
    get ready() {
      return !saturated && (queued === undefined || queued.byteLength < MOST_QUEUED_BYTES) && isOpen()
    },
    untilReady: async () => {
      if (!isOpen()) throw linkClosed('the stream was closed')
      if (!saturated && queued === undefined) return
      const waiter = Promise.withResolvers<void>()
      waiting.push(waiter)
      return waiter.promise
    },
    get unsentBytes() {
      return stream.writeBufferLength + (queued?.byteLength ?? 0)
    }
  }
}
