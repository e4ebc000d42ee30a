import type { AskedOffer, Asking, ClientState } from './client-state.ts'
import { serviceMs } from './pace.ts'

/** What a task is taken to need while nobody has run the model, ms: a queue of it is worth a few cars. */
const UNKNOWN_SERVICE_MS = 1000
/** Part of the time left that is planned with: cars slow down, and results travel. */
const PLANNED = 0.8

/**
 * How many more cars the waiting tasks need, so that each ends in its time: its deadline, and its caller's wish if there is
 * one (`targetMs`). The queue is served in its order by all leases together, each at the pace that was measured. A queue that
 * is still there after its target, since it is filled as fast as it empties, needs as many cars again. None are needed while
 * the leases at hand will do; never more than tasks wait or the client may hold.
 */
export function carsNeeded(state: ClientState, nowMs: number): number {
  const room = Math.min(state.waiting.length, state.settings.maximumCars - state.leases.size)
  if (room <= 0) return 0
  const lacking = lackingPerMs(state, nowMs)
  if (lacking <= 0) return 0
  return Math.min(room, Math.max(hasUsableLease(state) ? 0 : 1, Math.ceil(lacking * usualMs(state) - 0.01)))
}

function hasUsableLease({ leases }: ClientState): boolean {
  for (const { leavesAtMs } of leases.values()) if (leavesAtMs === null) return true
  return false
}

/** Which of the offers to award, best first: as many as the queue still needs, by what they tell of their run times. */
export function carsToAward(state: ClientState, asking: Asking, ranked: readonly AskedOffer[], nowMs: number): readonly AskedOffer[] {
  const most = Math.min(asking.carsWanted, asking.carsWon + state.waiting.length) - asking.carsWon - asking.pending.size
  let lacking = lackingPerMs(state, nowMs) - asking.pending.size / usualMs(state)
  const chosen: AskedOffer[] = []
  for (const offer of ranked) {
    const isFirst = state.leases.size + asking.pending.size + chosen.length === 0
    if (chosen.length >= most || (lacking <= 0 && !isFirst)) break
    chosen.push(offer)
    lacking -= 1 / (offer.offer.runUs > 0 ? offer.offer.runUs / 1000 : usualMs(state))
  }
  return chosen
}

/** Tasks per ms that the leases at hand are short of; 0 or less when they will do. */
function lackingPerMs(state: ClientState, nowMs: number): number {
  let perMs = 0
  let ahead = 0
  let lineMs = 0
  for (const lease of state.leases.values()) {
    if (lease.leavesAtMs !== null) continue
    perMs += 1 / serviceMs(lease, nowMs, usualMs(state))
    ahead += lease.flights.size
    lineMs = Math.max(lineMs, lease.pace.roundTripMs ?? 0)
  }
  let neededPerMs = 0
  let shortestMs = Number.POSITIVE_INFINITY
  for (const task of state.waiting) {
    ahead++
    shortestMs = Math.min(shortestMs, task.targetMs)
    const leftMs = Math.max(1, Math.min(task.deadlineMs - nowMs, task.targetMs) * PLANNED - lineMs)
    neededPerMs = Math.max(neededPerMs, ahead / leftMs)
  }
  const lasts = state.backlogSinceMs !== null && nowMs - state.backlogSinceMs >= shortestMs
  return Math.max(neededPerMs - perMs, lasts ? perMs : 0)
}

function usualMs({ usualServiceMs }: ClientState): number {
  return usualServiceMs ?? UNKNOWN_SERVICE_MS
}
