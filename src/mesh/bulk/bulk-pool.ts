import { abortError } from '../../protocol/errors.ts'
import { linkClosed } from '../link/link-closed.ts'
import type { BulkStream } from './bulk-stream.ts'
import type { Outgoing } from './outgoing.ts'

/** Transfers that one side sends at once on one link; one place is never given to a large one. */
const MOST_AT_ONCE = 4

/** The bulk streams of a link, whoever opened them, and the transfers that wait for one. */
export interface BulkPool {
  add: (stream: BulkStream) => void
  remove: (stream: BulkStream) => void
  /** Sends on the next free stream, in the order of calls; a large transfer lets small ones pass. */
  send: (outgoing: Outgoing) => Promise<void>
  /** Looks for work: a stream became free. */
  pump: () => void
  streams: () => readonly BulkStream[]
  /** Whether the connection has taken all that was sent. */
  readonly sent: boolean
  /** Everything that waits fails. */
  fail: (error: Error) => void
}

/** `open` opens one more stream and adds it. */
export function createBulkPool(open: () => Promise<void>): BulkPool {
  const streams = new Set<BulkStream>()
  const queue: Outgoing[] = []
  let large = 0
  let opening = 0

  const free = () => {
    let found: BulkStream | undefined
    for (const stream of streams) {
      if (!stream.ready) continue
      if (!stream.receiving) return stream
      found ??= stream
    }
    return found
  }
  const start = (outgoing: Outgoing, stream: BulkStream) => {
    if (!outgoing.small) {
      large++
      // Both ways, so that no rejection goes unheard here.
      const ended = () => {
        large--
        pump()
      }
      outgoing.done.promise.then(ended, ended)
    }
    stream.send(outgoing)
    // The next one has its turn once this one has its share, so that what goes together takes a part of each stream's window.
    if (!stream.ready && streams.delete(stream)) streams.add(stream)
  }
  const openOne = () => {
    opening++
    open()
      .catch(error => {
        if (streams.size === 0) fail(linkClosed('no bulk stream could be opened', error))
      })
      .finally(() => {
        opening--
        pump()
      })
  }
  const fail = (error: Error) => {
    for (const outgoing of queue.splice(0)) outgoing.done.reject(error)
  }
  const abortable = async (outgoing: Outgoing, signal: AbortSignal) => {
    const onAbort = () => {
      const at = queue.indexOf(outgoing)
      if (at >= 0) queue.splice(at, 1)
      outgoing.done.reject(abortError(signal))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await outgoing.done.promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
  const pump = () => {
    for (let at = 0; at < queue.length; ) {
      const outgoing = queue[at]
      if (outgoing === undefined) return
      if (!outgoing.small && large >= MOST_AT_ONCE - 1) {
        at++
        continue
      }
      const stream = free()
      if (stream === undefined) {
        while (streams.size + opening < MOST_AT_ONCE && opening < queue.length - at) openOne()
        return
      }
      queue.splice(at, 1)
      start(outgoing, stream)
    }
  }

  return {
    add: stream => {
      streams.add(stream)
      pump()
    },
    remove: stream => {
      streams.delete(stream)
      pump()
    },
    send: outgoing => {
      queue.push(outgoing)
      pump()
      const { signal, small, done } = outgoing
      // A small one that has found a stream is gone at the end of this turn, or waits there.
      if (signal === undefined || (small && !queue.includes(outgoing))) return done.promise
      return abortable(outgoing, signal)
    },
    pump,
    streams: () => [...streams],
    get sent() {
      return queue.length === 0 && [...streams].every(({ ready }) => ready)
    },
    fail
  }
}
