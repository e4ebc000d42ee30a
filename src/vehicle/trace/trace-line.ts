import { closest, distance } from 'fastest-levenshtein'
import { MotorpoolError } from '../../protocol/errors.ts'
import { type SignalPath, VEHICLE_SIGNALS } from '../../protocol/vehicle/signals.ts'
import type { ToldSignal } from '../signal-board.ts'
import { checkSignalValue, isSignalPath } from '../signal-value.ts'

/** What a vehicle says at one moment. */
export interface TraceLine {
  /** Second of the trace's own time, which may begin anywhere. */
  readonly t: number
  readonly told: readonly ToldSignal[]
  /** The vehicle can't be heard from here on, or can again. */
  readonly source?: 'live' | 'lost'
}

/** The key or column that says whether the vehicle is heard. */
export const SOURCE_KEY = 'source'

/** A trace that can't be played: which line, what is wrong, and what to do. */
export function badTrace(line: number | undefined, problem: string): MotorpoolError {
  return new MotorpoolError('ERR_BAD_TRACE', `the trace${line === undefined ? '' : `, line ${line},`} ${problem}`)
}

/** One line's moment, which never lies before the earlier line's. */
export function checkMoment(line: number, t: unknown, earlier: number): number {
  if (typeof t !== 'number' || !Number.isFinite(t) || t < 0) throw badTrace(line, 'has no time; give seconds, 0 or more')
  if (t < earlier) throw badTrace(line, `goes back in time, from ${earlier} s to ${t} s; sort the lines by time`)
  return t
}

export function checkPath(line: number, path: string): SignalPath {
  if (isSignalPath(path)) return path
  const near = closest(path, Object.keys(VEHICLE_SIGNALS))
  // Further away than a third of its letters nothing was meant.
  const advice = distance(path, near) <= near.length / 3 ? `did you mean ${near}` : 'docs/vehicle.md lists the signals'
  throw badTrace(line, `names ${JSON.stringify(path.slice(0, 120))}, which is no signal here; ${advice}`)
}

/** A told value, if VSS has it. The text `NaN` for a number is the vehicle's own glitch, and is passed on. */
export function checkTold(line: number, path: SignalPath, value: unknown): ToldSignal {
  const { kind } = VEHICLE_SIGNALS[path]
  if (value === 'NaN' && (kind === 'float' || kind === 'integer')) return { path, value: Number.NaN }
  const { problem } = checkSignalValue(path, value)
  if (problem !== undefined) throw badTrace(line, `has a value that VSS doesn't: ${problem}; correct it, or write null for no value`)
  return { path, value }
}

export function checkSource(line: number, value: unknown): 'live' | 'lost' {
  if (value === 'live' || value === 'lost') return value
  throw badTrace(line, `has a ${SOURCE_KEY} other than live or lost; write one of them`)
}
