import type { ClientState } from './client-state.ts'

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
  for (const { leavesAtMs, flights, idleSinceMs } of leases.values()) {
    if (leavesAtMs !== null) next = sooner(next, leavesAtMs, nowMs)
    if (flights.size === 0) next = sooner(next, idleSinceMs + settings.leaseIdleMs, nowMs)
  }
  if (asking !== null) {
    next = sooner(next, asking.roundEndsMs, nowMs)
    for (const dueMs of asking.pending.values()) next = sooner(next, dueMs, nowMs)
    if (asking.awardAtMs !== null) next = sooner(next, asking.awardAtMs, nowMs)
  }
  return (asking === null || asking.phase === 'resting') && waiting.length > 0 ? sooner(next, nextAskMs, nowMs) : next
}

function sooner(nextMs: number, atMs: number, nowMs: number): number {
  return atMs > nowMs && atMs < nextMs ? atMs : nextMs
}
