import type { ClientState } from './client-state.ts'

/** While results come, one of them looks whether the queue will be in time; so long after that was due none has come, ms. */
const SILENT_MS = 300

/** The first deadline or receipt that is due. */
export function earliestDueMs(state: ClientState): number {
  let earliest = Number.POSITIVE_INFINITY
  for (const task of state.waiting) earliest = Math.min(earliest, task.deadlineMs)
  for (const { flights, unproven } of state.leases.values()) {
    for (const flight of flights.values()) earliest = Math.min(earliest, flight.deadlineMs)
    for (const { task, dueMs } of unproven.values()) earliest = Math.min(earliest, task.deadlineMs, dueMs)
  }
  return earliest
}

/** The next moment at which something may be due without an event; infinite when nothing will be. */
export function nextWakeMs({ tasksDueMs, leases, settings, asking, waiting, nextAskMs }: ClientState, nowMs: number): number {
  let next = sooner(Number.POSITIVE_INFINITY, tasksDueMs, nowMs)
  let isUnderWay = false
  for (const { leavesAtMs, flights, idleSinceMs } of leases.values()) {
    if (flights.size > 0) isUnderWay = true
    if (leavesAtMs !== null) next = sooner(next, leavesAtMs, nowMs)
    if (flights.size === 0) next = sooner(next, idleSinceMs + settings.leaseIdleMs, nowMs)
  }
  if (asking !== null) {
    next = sooner(next, asking.roundEndsMs, nowMs)
    for (const dueMs of asking.pending.values()) next = sooner(next, dueMs, nowMs)
    if (asking.awardAtMs !== null) next = sooner(next, asking.awardAtMs, nowMs)
  }
  if (waiting.length === 0 || (asking !== null && asking.phase !== 'resting')) return next
  return sooner(next, isUnderWay ? nextAskMs + SILENT_MS : nextAskMs, nowMs)
}

function sooner(nextMs: number, atMs: number, nowMs: number): number {
  return atMs > nowMs && atMs < nextMs ? atMs : nextMs
}
