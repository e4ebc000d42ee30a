import type { PlannedDeparture } from '../../energy/departure-forecast.ts'
import type { Fitness, FitnessReason } from '../../energy/fitness.ts'
import { CLOSED_GATE, type FitnessGate, type FitnessGateSettings, stepFitnessGate } from '../../energy/fitness-gate.ts'

/** What an attendant knows of its vehicle and its car. */
export interface AttendantState {
  readonly gate: FitnessGate
  /** `joining`: models are loading; `leaving`: work is being finished or handed back. */
  readonly car: 'away' | 'joining' | 'here' | 'leaving'
  /** Why the car isn't to take part now; empty while it is. */
  readonly reasons: readonly FitnessReason[]
  readonly planned: PlannedDeparture | null
  /** Whether the departure under way was seen coming, so that a sudden reason still shortens it. */
  readonly draining: boolean
  /** The planned end that it last drained for: with no work left it would take less time, but the stay's rest isn't worth joining again. */
  readonly drainedFor: PlannedDeparture | null
  /** The driver said when they come: until then plus a while the car doesn't join again, ms since 1970 UTC. */
  readonly expectedUntilUnixMs: number | null
  /** Joins that failed in a row. */
  readonly failures: number
  /** Real time at which a failed join is tried again, ms. */
  readonly retryAtMs: number
}

export type AttendantEvent =
  | {
      readonly type: 'looked'
      readonly fitness: Fitness
      readonly planned: PlannedDeparture | null
      /** The vehicle's clock, monotonic and ms since 1970 UTC. */
      readonly vehicleMs: number
      readonly unixMs: number
      /** How much faster the vehicle's clock runs than real time. */
      readonly rate: number
      /** Real time, monotonic. */
      readonly atMs: number
      /** Real time that the car's present work and one task more take. */
      readonly drainMs: number
    }
  | { readonly type: 'parked' }
  | { readonly type: 'park-failed'; readonly reason: string; readonly atMs: number }
  | { readonly type: 'departed' }

export type AttendantEffect =
  | { readonly type: 'park' }
  | { readonly type: 'depart'; readonly reason: string; readonly secondsLeft: number }
  /** Real time until the stay's foreseen end; null when none is foreseen. */
  | { readonly type: 'expect-end'; readonly inMs: number | null }
  | { readonly type: 'fit' }
  | { readonly type: 'unfit'; readonly reasons: readonly FitnessReason[] }
  | { readonly type: 'join-failed'; readonly reason: string; readonly retryInMs: number }

export const FIRST_ATTENDANT_STATE: AttendantState = {
  gate: CLOSED_GATE,
  car: 'away',
  reasons: [],
  planned: null,
  draining: false,
  drainedFor: null,
  expectedUntilUnixMs: null,
  failures: 0,
  retryAtMs: 0
}

/** Of the 2 s until the workers are gone, so much may be used to finish what runs; ending a process takes time on a busy machine. */
const SUDDEN_SECONDS = 0.8
/** A drain begins at least this long before the planned end, real time: clients need a moment to turn elsewhere. */
const DRAIN_LEAST_MS = 2000
/** Looks come up to a second late, and tasks take longer than usual. */
const DRAIN_SPARE_MS = 1500
/** A shorter stay isn't worth loading models for, vehicle time. */
const STAY_LEAST_MS = 5 * 60_000
/** A driver who set a time comes about then, vehicle time. */
const EXPECTED_FOR_MS = 15 * 60_000
const RETRY_MS = { first: 1000, most: 60_000 } as const

/**
 * What a car does about its vehicle: joins when the gate opens, leaves at the first unfit look with a second for what
 * runs, and drains ahead of an end that was seen coming. Level-triggered, so that a change of mind while the car joins
 * or leaves is caught up with as soon as that is over. Deterministic and without I/O.
 */
export function attendantStep(
  state: AttendantState,
  event: AttendantEvent,
  settings: FitnessGateSettings = {}
): readonly [AttendantState, readonly AttendantEffect[]] {
  switch (event.type) {
    case 'looked':
      return look(state, event, settings)
    case 'parked':
      return [state.car === 'joining' ? { ...state, car: 'here', failures: 0 } : state, []]
    case 'park-failed': {
      // A join that a departure broke off has not failed.
      if (state.car !== 'joining') return [state, []]
      const retryInMs = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** Math.min(state.failures, 10))
      const next: AttendantState = { ...state, car: 'away', failures: state.failures + 1, retryAtMs: event.atMs + retryInMs }
      return [next, [{ type: 'join-failed', reason: event.reason, retryInMs }]]
    }
    case 'departed':
      return [state.car === 'leaving' ? { ...state, car: 'away', draining: false } : state, []]
  }
}

type Look = Extract<AttendantEvent, { type: 'looked' }>

function look(before: AttendantState, event: Look, settings: FitnessGateSettings): readonly [AttendantState, readonly AttendantEffect[]] {
  const effects: AttendantEffect[] = []
  const { planned } = event
  const coming = comingEnd(before, event)
  const fitness: Fitness = event.fitness.fit && coming !== null ? { fit: false, reasons: [coming] } : event.fitness
  const [gate] = stepFitnessGate(before.gate, fitness, event.vehicleMs, settings)
  const reasons = fitness.fit ? [] : fitness.reasons
  if (codesOf(reasons) !== codesOf(before.reasons) || (before.gate.lastMs === null && !fitness.fit))
    effects.push(fitness.fit ? { type: 'fit' } : { type: 'unfit', reasons })
  let next: AttendantState = { ...before, gate, reasons, planned, expectedUntilUnixMs: expectedUntil(before, event) }

  const isThere = next.car === 'here' || next.car === 'joining'
  const isSudden = !event.fitness.fit
  if (!gate.joined && (isThere || (next.draining && isSudden))) {
    const leftMs = planned === null ? 0 : realMsUntil(planned, event)
    const secondsLeft = isSudden ? SUDDEN_SECONDS : Math.max(0, Math.floor(leftMs / 1000))
    effects.push({ type: 'depart', reason: reasons.map(({ text }) => text).join('; ') || 'the car’s clock went back', secondsLeft })
    next = { ...next, car: 'leaving', draining: !isSudden, drainedFor: isSudden ? next.drainedFor : planned }
  } else if (gate.joined && next.car === 'away' && event.atMs >= next.retryAtMs) {
    effects.push({ type: 'park' })
    next = { ...next, car: 'joining' }
  }
  if (next.car === 'here' || next.car === 'joining') effects.push({ type: 'expect-end', inMs: planned === null ? null : realMsUntil(planned, event) })
  return [next, effects]
}

/** The planned end as a reason against taking part, once it is near enough. */
function comingEnd({ car, drainedFor, expectedUntilUnixMs }: AttendantState, event: Look): FitnessReason | null {
  const { planned, unixMs } = event
  if (planned !== null) {
    const isThere = car === 'here' || car === 'joining'
    const leftMs = realMsUntil(planned, event)
    const isNear = leftMs <= Math.max(DRAIN_LEAST_MS, event.drainMs + DRAIN_SPARE_MS) || (!isThere && planned.atUnixMs - unixMs <= STAY_LEAST_MS)
    const isSameEnd = drainedFor?.code === planned.code && planned.atUnixMs - drainedFor.atUnixMs <= STAY_LEAST_MS
    if (isNear || (!isThere && isSameEnd)) return reasonOf(planned)
  }
  if (expectedUntilUnixMs !== null && unixMs < expectedUntilUnixMs) return { code: 'contract', text: 'the driver is expected', planned: true }
  return null
}

/** A planned end by the owner's timers passes without a signal of its own: the driver is believed to come. */
function expectedUntil(before: AttendantState, { planned, unixMs }: Look): number | null {
  const last = before.planned
  const isOver = last !== null && last.atUnixMs <= unixMs && planned?.atUnixMs !== last.atUnixMs
  if (isOver && (last.code === 'charging-timer' || last.code === 'conditioning')) return last.atUnixMs + EXPECTED_FOR_MS
  return before.expectedUntilUnixMs !== null && unixMs < before.expectedUntilUnixMs ? before.expectedUntilUnixMs : null
}

function reasonOf({ code, reason }: PlannedDeparture): FitnessReason {
  return { code: code === 'charging-timer' || code === 'conditioning' ? 'contract' : code, text: reason, planned: true }
}

function realMsUntil({ atUnixMs }: PlannedDeparture, { unixMs, rate }: Look): number {
  return Math.max(0, (atUnixMs - unixMs) / rate)
}

function codesOf(reasons: readonly FitnessReason[]): string {
  return reasons.map(({ code }) => code).join(' ')
}
