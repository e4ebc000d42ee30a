import { type SignalKind, type SignalPath, type SignalValue, VEHICLE_SIGNALS } from '../protocol/vehicle/signals.ts'

/** A value that may be used, or null and why not. */
export type CheckedValue = { readonly value: SignalValue | null; readonly problem?: undefined } | { readonly value: null; readonly problem: string }

/** VSS has the selected gear as int8; it is the only whole number among the signals. */
const LEAST_INT8 = -128
const MOST_INT8 = 127
const ISO_8601_WITH_ZONE = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/

export function isSignalPath(path: string): path is SignalPath {
  return Object.hasOwn(VEHICLE_SIGNALS, path)
}

/**
 * A value as VSS has it for this path; null stays null. What has another type, isn't finite, isn't among the texts that VSS
 * allows or lies outside of its range becomes null with a problem that never repeats the value, which may be anything.
 */
export function checkSignalValue(path: SignalPath, raw: unknown): CheckedValue {
  if (raw === null) return { value: null }
  const form: { readonly kind: SignalKind; readonly unit?: string; readonly allowed?: readonly string[] } = VEHICLE_SIGNALS[path]
  const refuse = (why: string): CheckedValue => ({ value: null, problem: `${path} ${why}` })
  switch (form.kind) {
    case 'boolean':
      return typeof raw === 'boolean' ? { value: raw } : refuse(`came as ${typeName(raw)} and must be true or false`)
    case 'float':
      if (typeof raw !== 'number') return refuse(`came as ${typeName(raw)} and must be a number${form.unit === undefined ? '' : ` in ${form.unit}`}`)
      if (!Number.isFinite(raw)) return refuse('is not a finite number')
      return form.unit === 'percent' && (raw < 0 || raw > 100) ? refuse('must lie between 0 and 100 percent') : { value: raw }
    case 'integer':
      if (typeof raw !== 'number') return refuse(`came as ${typeName(raw)} and must be a whole number`)
      return Number.isInteger(raw) && raw >= LEAST_INT8 && raw <= MOST_INT8
        ? { value: raw }
        : refuse(`must be a whole number from ${LEAST_INT8} to ${MOST_INT8} (126 Park, 127 Drive, 0 Neutral)`)
    case 'text':
      if (typeof raw !== 'string') return refuse(`came as ${typeName(raw)} and must be a text`)
      return form.allowed?.includes(raw) === false ? refuse(`must be one of ${form.allowed.join(', ')}`) : { value: raw }
    case 'time':
      return typeof raw === 'string' && ISO_8601_WITH_ZONE.test(raw) && !Number.isNaN(Date.parse(raw))
        ? { value: raw }
        : refuse('must be an ISO 8601 time with its zone, such as 2026-03-01T07:30:00Z')
  }
}

function typeName(raw: unknown): string {
  if (Array.isArray(raw)) return 'a list'
  return raw === undefined ? 'nothing' : typeof raw === 'string' ? 'a text' : `a ${typeof raw}`
}
