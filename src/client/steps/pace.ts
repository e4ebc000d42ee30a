import { LIMITS } from '../../protocol/limits.ts'
import type { HeldLease, Pace } from './client-state.ts'

/** Results after which earlier ones weigh half: a car that gets slower shows within as many. */
const HALVE_AFTER = 64
/** A round trip is measured anew after this, ms: paths change. */
const ROUND_TRIP_KEPT_MS = 10_000
/** Runs shorter than this are mostly hand-over, which a longer queue doesn't shorten, ms. */
const SHORTEST_RUN_MS = 0.2
/** Work under way beyond what keeps a car busy, ms: a car that has it gives several results at once, which costs both ends half as much. */
const GATHERED_MS = 128
/** A car that is silent for so many times its usual pace is taken to be as slow as that. */
const STALLED = 4

/** Of a lease just granted. @param runUs - what the offer tells of a task's run time; 0 when it doesn't know */
export function firstPace(runUs: number, nowMs: number): Pace {
  return { runMs: runUs > 0 ? runUs / 1000 : null, results: 0, spentMs: 0, turnMs: nowMs, busy: false, roundTripMs: null, measuredMs: nowMs }
}

/** A task is sent; to a car without work its time begins. */
export function noteSent(pace: Pace, flights: number, nowMs: number): void {
  if (flights > 0) return
  pace.turnMs = nowMs
  pace.busy = false
}

/** An answer came. @param flights - what is still under way */
export function noteAnswer(pace: Pace, flights: number, nowMs: number): void {
  if (pace.busy) {
    const halved = pace.results >= HALVE_AFTER ? 0.5 : 1
    pace.results = pace.results * halved + 1
    pace.spentMs = pace.spentMs * halved + (nowMs - pace.turnMs)
  }
  pace.turnMs = nowMs
  pace.busy = flights > 0
}

/** What a result tells beside its coming. */
export function noteMeasures(pace: Pace, ranUs: number, roundTripMs: number, nowMs: number): void {
  pace.runMs = ranUs / 1000
  if (pace.roundTripMs !== null && roundTripMs > pace.roundTripMs && nowMs - pace.measuredMs <= ROUND_TRIP_KEPT_MS) return
  pace.roundTripMs = roundTripMs
  pace.measuredMs = nowMs
}

/** Time that the car takes for each further task, ms: between its answers, else what it told, else as others of late. */
export function serviceMs({ pace, flights }: HeldLease, nowMs: number, usualMs: number): number {
  const paceMs = pace.results > 0 ? pace.spentMs / pace.results : (pace.runMs ?? usualMs)
  const silentMs = flights.size === 0 ? 0 : nowMs - pace.turnMs - (pace.roundTripMs ?? 0)
  return Math.max(SHORTEST_RUN_MS, silentMs > STALLED * paceMs + LIMITS.replyHeldMs + LIMITS.resultHeldMs ? silentMs : paceMs)
}

/**
 * Tasks to have under way on a car: what it runs at once, as many that are there when those end, and as many as it runs
 * during a round trip, and of short ones some more, so that results come several at once. So it never waits for the line, and no
 * longer queue waits on it.
 */
export function fittingWindow({ pace, parallel, slots, window }: HeldLease): number {
  if (pace.runMs === null || pace.roundTripMs === null) return window
  const runMs = Math.max(SHORTEST_RUN_MS, pace.runMs)
  const duringRoundTrip = Math.ceil((parallel * pace.roundTripMs) / runMs - 0.1)
  const gathered = Math.floor((parallel * GATHERED_MS) / runMs)
  return Math.min(slots, 2 * parallel + Math.max(0, duringRoundTrip) + gathered)
}
