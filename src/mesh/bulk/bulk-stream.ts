import type { Stream } from '@libp2p/interface'
import { abortError, isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'
import type { TransferHead } from '../../protocol/transfer.ts'
import { linkClosed } from '../link/link-closed.ts'
import { createStreamWriter } from '../link/stream-writer.ts'
import type { TransferBody } from '../mesh.ts'
import { withSignal } from '../with-signal.ts'
import { countBufferBytes } from './buffer-garbage.ts'
import { createIncomingBody, type IncomingBody } from './incoming-body.ts'
import type { MemoryBudget } from './memory-budget.ts'
import type { Outgoing } from './outgoing.ts'
import { createTransferReader } from './transfer-reader.ts'

/** Unread bytes above which a stream is paused, and below which it goes on: together with a window they bound its memory. */
const PAUSE_ABOVE_BYTES = 512 * 1024
const RESUME_BELOW_BYTES = 128 * 1024
/** Large payloads go out in pieces of this size, so that other streams' bytes get in between. */
const PIECE_BYTES = 128 * 1024

export interface BulkStreamInit {
  readonly stream: Stream
  readonly budget: MemoryBudget
  readonly stallMs: number
  readonly now: () => number
  readonly onBytes: () => void
  readonly onTransfer: (head: TransferHead, body: TransferBody) => void
  /** The other side broke the protocol, or a handler failed: the whole link ends. */
  readonly onFault: (error: MotorpoolError) => void
  /** It takes the next transfer. */
  readonly onReady: () => void
  readonly onClose: () => void
}

/** One reusable bulk stream: a transfer at a time in each direction. */
export interface BulkStream {
  /** Takes a transfer now. */
  readonly ready: boolean
  /** A transfer of the other side is under way on it. */
  readonly receiving: boolean
  /** Sends a transfer and settles its promise; call only when ready. */
  send: (outgoing: Outgoing) => void
  /** Ends it when a transfer stalls; call it now and then. */
  tick: () => void
  close: () => Promise<void>
  abort: (error: Error) => void
}

export function createBulkStream(init: BulkStreamInit): BulkStream {
  const { stream } = init
  let unread = 0
  let paused = false
  let sending = false
  let ended = false
  let progressAt = init.now()
  let incoming: IncomingBody | undefined
  /** A transfer whose handler is told at the end of this read, or before as soon as it is whole: then it needs no wait. */
  let heard: { readonly head: TransferHead; readonly body: TransferBody } | undefined
  const life = new AbortController()
  const writer = createStreamWriter(stream, () => {
    if (!sending) init.onReady()
  })

  const pauseWhenFull = () => {
    if (paused && stream.readStatus === 'readable') stream.pause()
  }
  const onTaken = (bytes: number) => {
    unread -= bytes
    if (!paused || unread >= RESUME_BELOW_BYTES) return
    paused = false
    progressAt = init.now()
    if (stream.readStatus === 'paused') stream.resume()
  }
  const reader = createTransferReader({
    onTransfer: (head, byteLength) => {
      const received = createIncomingBody({ byteLength, budget: init.budget, onTaken })
      incoming = received
      heard = { head, body: received.body }
      if (byteLength === 0) tellOfHeard()
      return chunk => {
        unread += chunk.length
        received.push(chunk)
        if (received.missing === 0) tellOfHeard()
      }
    }
  })
  const tellOfHeard = () => {
    if (heard === undefined) return
    const { head, body } = heard
    heard = undefined
    init.onTransfer(head, body)
  }
  const end = (error: MotorpoolError) => {
    if (ended) return
    ended = true
    life.abort(error)
    incoming?.fail(error)
    if (stream.status === 'open') stream.abort(error)
    init.onClose()
  }

  stream.addEventListener('message', ({ data }) => {
    if (ended) return
    progressAt = init.now()
    init.onBytes()
    countBufferBytes(data.byteLength)
    try {
      for (const chunk of data instanceof Uint8Array ? [data] : data) reader.read(chunk)
      tellOfHeard()
    } catch (error) {
      const fault = isMotorpoolError(error) ? error : linkClosed('a handler of this link failed', error)
      end(fault)
      init.onFault(fault)
      return
    }
    if (paused || unread <= PAUSE_ABOVE_BYTES) return
    paused = true
    // Within the listener a pause would be undone as soon as it returns.
    queueMicrotask(pauseWhenFull)
  })
  stream.addEventListener('remoteCloseWrite', () => {
    if (ended) return
    if (reader.midway) end(linkClosed('the other side ended a transfer early'))
    else finish()
  })
  stream.addEventListener('close', event => end(linkClosed('the transfer was broken off', event.error)))

  const finish = async () => {
    if (ended) return
    ended = true
    init.onClose()
    // What was sent in this tick still waits in the writer.
    await writer.untilReady().catch(() => {})
    if (stream.status === 'open') await stream.close({ signal: AbortSignal.timeout(1000) }).catch(error => stream.abort(error))
  }
  const sendPieces = async (outgoing: Outgoing) => {
    let sent = 0
    writer.write(outgoing.prefix)
    for await (const part of outgoing.parts ?? untilAborted(outgoing.source, life.signal)) {
      sent += part.length
      countBufferBytes(part.length)
      if (sent > outgoing.byteLength) break
      for (let at = 0; at < part.length; at += PIECE_BYTES) {
        writer.write(part.subarray(at, at + PIECE_BYTES))
        await writer.untilReady()
      }
    }
    await writer.untilReady()
    if (sent !== outgoing.byteLength)
      throw new MotorpoolError('ERR_INVALID_INPUT', `a payload does not have its ${outgoing.byteLength} bytes; state the right length`)
  }
  const sendLarge = (outgoing: Outgoing) => {
    const { signal } = outgoing
    sending = true
    const onAbort = () => {
      const error = signal === undefined ? linkClosed('aborted') : abortError(signal)
      outgoing.done.reject(error)
      // On a stream that also receives, a reset would break the other transfer too: there the rest goes out all the same.
      if (!reader.midway || outgoing.source !== undefined) end(error)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    sendPieces(outgoing)
      .then(outgoing.done.resolve, error => {
        outgoing.done.reject(error)
        end(linkClosed('a transfer was broken off', error))
      })
      .finally(() => {
        sending = false
        signal?.removeEventListener('abort', onAbort)
        if (!ended) init.onReady()
      })
  }

  return {
    get ready() {
      return !ended && !sending && writer.ready
    },
    get receiving() {
      return reader.midway
    },
    send: outgoing => {
      if (outgoing.small) {
        writer.write(outgoing.prefix)
        for (const part of outgoing.parts ?? []) writer.write(part)
        countBufferBytes(outgoing.byteLength)
        writer.whenReady(outgoing.done, outgoing.signal)
        return
      }
      sendLarge(outgoing)
    },
    tick: () => {
      const stalled = reader.midway && !paused && (incoming === undefined || incoming.missing === 0 || incoming.awaited)
      if (!stalled) {
        progressAt = init.now()
      } else if (init.now() - progressAt > init.stallMs) {
        end(new MotorpoolError('ERR_DEADLINE', `a transfer made no progress for ${Math.round(init.stallMs / 1000)} s; submit again`, { retryable: true }))
      }
    },
    close: finish,
    abort: error => end(linkClosed('the link was closed', error))
  }
}

/** Yields what the source yields until the signal aborts, even while the source takes its time. */
async function* untilAborted(source: AsyncIterable<Uint8Array> | undefined, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const iterator = source?.[Symbol.asyncIterator]()
  if (iterator === undefined) return
  try {
    for (let next = await withSignal(iterator.next(), signal); next.done !== true; next = await withSignal(iterator.next(), signal)) yield next.value
  } finally {
    iterator.return?.()?.catch(() => {})
  }
}
