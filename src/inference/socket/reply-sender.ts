import type { Socket } from 'node:net'
import { createFrameWriter } from './frame-writer.ts'
import type { WorkerReply } from './messages.ts'
import { areRepliesDue, type NextRun } from './replies-due.ts'

/** A worker's replies on their way: in order, several with one write. */
export interface ReplySender {
  /** Keeps a reply until it is due; its task is out of time at `deadlineMs`. Throws `ERR_TOO_LARGE` for what cannot be sent. */
  add: (reply: WorkerReply, deadlineMs: number) => void
  /** Sends what is due before a run begins. */
  beforeRun: (next: NextRun, nowMs: number) => void
  /** Sends what is kept. */
  flush: () => void
}

export function createReplySender(socket: Socket): ReplySender {
  const write = createFrameWriter()
  let parts: Uint8Array[] = []
  let count = 0
  let byteLength = 0
  let sinceMs = 0
  let deadlineMs = Number.POSITIVE_INFINITY

  const flush = (): void => {
    if (count === 0) return
    if (parts.length > 1) socket.cork()
    for (const part of parts) socket.write(part)
    if (parts.length > 1) socket.uncork()
    parts = []
    count = byteLength = 0
    deadlineMs = Number.POSITIVE_INFINITY
  }

  return {
    add: (reply, itsDeadlineMs) => {
      const frame = write(reply)
      if (count === 0) sinceMs = performance.now()
      count++
      for (const part of frame) {
        parts.push(part)
        byteLength += part.byteLength
      }
      deadlineMs = Math.min(deadlineMs, itsDeadlineMs)
      // A worker whose memory is full, or whose model fails, is better judged by its peer before it runs on.
      if (reply.type === 'failed') flush()
    },
    beforeRun: (next, nowMs) => {
      if (count > 0 && areRepliesDue({ count, byteLength, sinceMs, deadlineMs }, next, nowMs)) flush()
    },
    flush
  }
}
