import type { GridIntensity } from '../../energy/carbon.ts'
import { type PlannedDeparture, plannedDeparture } from '../../energy/departure-forecast.ts'
import { type Fitness, type FitnessReason, judgeFitness } from '../../energy/fitness.ts'
import type { FitnessGateSettings } from '../../energy/fitness-gate.ts'
import type { OwnerPolicy } from '../../energy/owner-policy.ts'
import type { OwnerUsage } from '../../energy/owner-usage.ts'
import { isMotorpoolError } from '../../protocol/errors.ts'
import type { VehicleSignals } from '../../protocol/vehicle/signals.ts'
import type { VehicleSource } from '../../vehicle/vehicle-source.ts'
import type { CarEvent } from '../car.ts'
import { type AttendantEffect, type AttendantEvent, type AttendantState, attendantStep, FIRST_ATTENDANT_STATE } from './attendant-step.ts'
import type { Departure } from './turns.ts'
import { batteryPercent, isPluggedIn, type VehicleClock } from './vehicle-facts.ts'
import { vouchedFitness } from './vouched-fitness.ts'

/** What an attendant does with its car. */
export interface AttendedCar {
  readonly park: (why: string) => Promise<void>
  readonly depart: (departure: Departure) => Promise<void>
  /** Real time, monotonic: the car is to be empty by then; null when nobody knows. */
  readonly expectEnd: (atMs: number | null) => void
  /** Real time that its present work and one task more take. */
  readonly drainMs: () => number
}

export interface AttendVehicleInit {
  readonly source: VehicleSource
  readonly vehicleClock: VehicleClock
  /** Real time, monotonic: also when readings arrive, at every speed. */
  readonly nowMs: () => number
  readonly car: AttendedCar
  /** A text says why the policy can't be known: then the car doesn't take part. */
  readonly policy: () => OwnerPolicy | string
  readonly usage: () => OwnerUsage
  /** What work draws at present. */
  readonly workWatts: () => number
  readonly grid?: () => GridIntensity | undefined
  /** Hears of every look, to learn how long the vehicle stays. */
  readonly onLook?: (signals: VehicleSignals, planned: PlannedDeparture | null) => void
  readonly gate?: FitnessGateSettings
  readonly onEvent: (event: CarEvent) => void
}

export interface Attendant {
  readonly state: () => AttendantState
  /** Looks at once, e.g. after the policy changed. */
  readonly look: () => void
  /** Keeps the car off the mesh for a reason of the owner's, until `release`. */
  readonly hold: (reason: string) => void
  readonly release: () => void
  /** Looks no more, and waits until what it began is over. The car stays as it is. */
  readonly stop: () => Promise<void>
}

/** A look each second of the vehicle's clock, and real time within these, ms. */
const LOOK_EVERY_MS = { least: 100, most: 1000 } as const
/** Signals of one moment come one by one, and a fast trace brings hundreds a second. */
const GATHER_MS = 20

/** Watches a vehicle, and lets its car join and leave as the owner's policy and the vehicle's signals say. */
export function attendVehicle(init: AttendVehicleInit): Attendant {
  const { source, vehicleClock, nowMs, car, onEvent } = init
  const rate = vehicleClock.rate ?? 1
  const pending = new Set<Promise<void>>()
  let state = FIRST_ATTENDANT_STATE
  let held: string | undefined
  let lookedMs = Number.NEGATIVE_INFINITY
  let gathering: NodeJS.Timeout | undefined
  let stopped = false

  function step(event: AttendantEvent): void {
    const [next, effects] = attendantStep(state, event, init.gate)
    state = next
    for (const effect of effects) carryOut(effect)
  }

  function look(): void {
    if (stopped) return
    clearTimeout(gathering)
    gathering = undefined
    lookedMs = nowMs()
    const { fitness, planned } = judge()
    if (source.state() === 'live') init.onLook?.(source.signals(), planned)
    step({
      type: 'looked',
      fitness,
      planned,
      vehicleMs: vehicleClock.monotonicMs(),
      unixMs: vehicleClock.unixMs(),
      rate,
      atMs: lookedMs,
      drainMs: car.drainMs()
    })
  }

  function judge(): { readonly fitness: Fitness; readonly planned: PlannedDeparture | null } {
    const policy = init.policy()
    const unfit = (reason: FitnessReason) => ({ fitness: { fit: false as const, reasons: [reason] }, planned: null })
    if (typeof policy === 'string') return unfit({ code: 'not-opted-in', text: policy, planned: false })
    if (held !== undefined) return unfit({ code: 'not-opted-in', text: held, planned: false })
    if (source.state() !== 'live')
      return unfit({ code: 'signal-stale', text: `the vehicle tells nothing: ${source.trouble() ?? source.state()}`, planned: false })
    const signals = source.signals()
    const [nowUnixMs, usage, workWatts, grid] = [vehicleClock.unixMs(), init.usage(), init.workWatts(), init.grid?.()]
    const about = { signals, policy, nowUnixMs, usage, workWatts }
    const fitness = judgeFitness({ ...about, nowMonotonicMs: nowMs(), joined: state.gate.joined, ...(grid === undefined ? {} : { grid }) })
    return { fitness: source.name === 'manual' ? vouchedFitness(fitness, signals, policy) : fitness, planned: plannedDeparture(about) }
  }

  function carryOut(effect: AttendantEffect): void {
    switch (effect.type) {
      case 'park':
        return keep(
          car.park(whyJoined()).then(
            () => step({ type: 'parked' }),
            error => step({ type: 'park-failed', reason: isMotorpoolError(error) ? error.message : String(error), atMs: nowMs() })
          )
        )
      case 'depart':
        return keep(car.depart({ reason: effect.reason, secondsLeft: effect.secondsLeft }).then(() => step({ type: 'departed' })))
      case 'expect-end':
        return car.expectEnd(effect.inMs === null ? null : nowMs() + effect.inMs)
      case 'fit':
        return onEvent({ type: 'fit' })
      case 'unfit':
        return onEvent({ type: 'unfit', reasons: effect.reasons })
      case 'join-failed':
        return onEvent({ type: 'join-failed', reason: effect.reason, retryInMs: effect.retryInMs })
    }
  }

  function keep(work: Promise<void>): void {
    const done = work.finally(() => {
      pending.delete(done)
      look()
    })
    pending.add(done)
  }

  function whyJoined(): string {
    const signals = source.signals()
    const percent = batteryPercent(signals)
    const charge = percent === null ? '' : `, battery at ${Math.round(percent)} %`
    return `parked and fit${isPluggedIn(signals) === true ? ', plugged in' : ''}${charge}`
  }

  const ended = source.onChange(() => {
    const inMs = lookedMs + GATHER_MS - nowMs()
    if (inMs <= 0) look()
    else gathering ??= setTimeout(look, inMs)
  })
  const ticking = setInterval(look, Math.min(LOOK_EVERY_MS.most, Math.max(LOOK_EVERY_MS.least, 1000 / rate)))
  look()

  return {
    state: () => state,
    look,
    hold: reason => {
      held = reason
      look()
    },
    release: () => {
      held = undefined
      look()
    },
    stop: async () => {
      stopped = true
      ended()
      clearInterval(ticking)
      clearTimeout(gathering)
      while (pending.size > 0) await Promise.allSettled([...pending])
    }
  }
}
