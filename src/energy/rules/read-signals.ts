import { DateTime } from 'luxon'
import { type SignalPath, type SignalReading, VEHICLE_SIGNALS, type VehicleSignals } from '../../protocol/vehicle/signals.ts'
import { isPlausibleTime } from '../local-time.ts'
import { SIGNAL_FACTS, type SignalAgeLimits } from './signal-facts.ts'

/** The JavaScript type of a signal's value. Times are ms since 1970 UTC. */
export type ValueOf<Path extends SignalPath> = (typeof VEHICLE_SIGNALS)[Path]['kind'] extends 'boolean'
  ? boolean
  : (typeof VEHICLE_SIGNALS)[Path]['kind'] extends 'text'
    ? string
    : number

export type SignalTrouble = 'missing' | 'stale' | 'invalid' | 'clock'
export type SignalWord<Path extends SignalPath> = { readonly value: ValueOf<Path> } | { readonly trouble: SignalTrouble }

/** A source's clock may be ahead of ours by so much; more, and one of the two is wrong. */
const CLOCK_SKEW_MS = 120_000

export interface SignalClocks {
  readonly nowMonotonicMs: number
  readonly nowUnixMs: number
  readonly ageLimitsMs: SignalAgeLimits
}

/** What a signal says, if it can be believed. Without clocks only its form is judged. */
export function readSignal<Path extends SignalPath>(signals: VehicleSignals, path: Path, clocks?: SignalClocks): SignalWord<Path> {
  const reading = signals.get(path)
  // A setting without a value is one that nobody has made.
  if (reading === undefined || (reading.value === null && SIGNAL_FACTS[path].class === 'settings')) return { trouble: 'missing' }
  const value = formedValue(path, reading)
  if (value === undefined) return { trouble: 'invalid' }
  const trouble = clocks === undefined ? undefined : timeTrouble(path, reading, clocks)
  return trouble === undefined ? { value: value as ValueOf<Path> } : { trouble }
}

/** What a signal says, or undefined when it is missing or nonsense, whatever its age. */
export function signalValue<Path extends SignalPath>(signals: VehicleSignals, path: Path): ValueOf<Path> | undefined {
  const word = readSignal(signals, path)
  return 'value' in word ? word.value : undefined
}

function timeTrouble(path: SignalPath, { arrivedMs, statedUnixMs }: SignalReading, clocks: SignalClocks): SignalTrouble | undefined {
  if (!Number.isFinite(arrivedMs) || arrivedMs > clocks.nowMonotonicMs) return 'clock'
  if (statedUnixMs !== undefined && !(statedUnixMs <= clocks.nowUnixMs + CLOCK_SKEW_MS)) return 'clock'
  return clocks.nowMonotonicMs - arrivedMs > clocks.ageLimitsMs[SIGNAL_FACTS[path].class] ? 'stale' : undefined
}

function formedValue(path: SignalPath, { value }: SignalReading): boolean | number | string | undefined {
  const form: { readonly kind: string; readonly allowed?: readonly string[] } = VEHICLE_SIGNALS[path]
  if (form.kind === 'boolean') return typeof value === 'boolean' ? value : undefined
  if (form.kind === 'text') return typeof value === 'string' && form.allowed?.includes(value) !== false ? value : undefined
  if (form.kind === 'time') return typeof value === 'string' ? zonedTime(value) : undefined
  const [least, most] = SIGNAL_FACTS[path].range ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  if (typeof value !== 'number' || !(value >= least && value <= most)) return undefined
  return form.kind === 'integer' && !Number.isInteger(value) ? undefined : value
}

/** ISO 8601 with its zone; a time without one could be meant in any. */
function zonedTime(text: string): number | undefined {
  if (!/(Z|[+-]\d\d(:?\d\d)?)$/i.test(text) || !text.includes('T')) return undefined
  const moment = DateTime.fromISO(text, { setZone: true })
  return moment.isValid && isPlausibleTime(moment.toMillis()) ? moment.toMillis() : undefined
}
