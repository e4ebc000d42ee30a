import { LIMITS } from '../../protocol/limits.ts'

/** The replies that a worker keeps back; times in ms of one clock. */
export interface HeldReplies {
  readonly count: number
  readonly byteLength: number
  /** Since when the first of them. */
  readonly sinceMs: number
  /** When the first task among them is out of time. */
  readonly deadlineMs: number
}

/** What a worker is about to run. */
export interface NextRun {
  /** Tasks that wait behind it. */
  readonly behind: number
  /** How long it should take; undefined when nothing is known. */
  readonly expectedMs: number | undefined
}

const MOST_REPLIES = 8
const MOST_BYTES = 1024 * 1024
/** Whose time is nearly over gets its reply at once: the way back takes time, too. */
const SPARE_MS = 1000

/**
 * Whether replies must go before the next run begins. A peer that wakes for one reply finds its caches cold and takes twice the
 * CPU, and takes the processor from the worker each time; so replies wait for each other until they are as many as the tasks that
 * wait here. The other half is in good time for the peer to fill the places, and to hear of other workers' replies before.
 */
export function areRepliesDue(held: HeldReplies, { behind, expectedMs }: NextRun, nowMs: number): boolean {
  if (held.count >= behind || expectedMs === undefined || held.count >= MOST_REPLIES || held.byteLength >= MOST_BYTES) return true
  const endMs = nowMs + expectedMs
  return endMs - held.sinceMs > LIMITS.replyHeldMs || held.deadlineMs - endMs < SPARE_MS
}
