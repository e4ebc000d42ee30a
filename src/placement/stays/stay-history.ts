import { z } from 'zod'

/** What a car may know of a stay when it begins. Nothing in it tells a place. */
export interface StayBegun {
  /** Local time of arrival, hours: 18.25 is a quarter past six. */
  readonly arrivalHour: number
  /** Monday is 0. */
  readonly weekday: number
  readonly isPlugged: boolean
  /** Seconds from arrival to the departure that a timer, a calendar or the owner's policy tells; null when nothing does. */
  readonly plannedS: number | null
  /** Whole days since any fixed day; old stays count less. */
  readonly day: number
}

const stayRecord = z.strictObject({
  arrivalHour: z.number().min(0).lt(24),
  weekday: z.int().min(0).max(6),
  isPlugged: z.boolean(),
  plannedS: z.number().positive().nullable(),
  day: z.int(),
  /** How long it was, seconds. */
  lengthS: z.number().positive()
})
/** A stay that has ended. */
export type StayRecord = z.infer<typeof stayRecord>

/** Stays that are kept: some 12 weeks of a car that is much in use. */
export const STAYS_KEPT = 400

/** The schema of a kept history, so that what was written to a car's data folder can be read with care. */
export const stayHistorySchema = z.strictObject({ v: z.literal(1), stays: z.array(stayRecord).max(STAYS_KEPT) })
/** A car's own past stays, oldest first: plain data that never leaves the car. */
export type StayHistory = z.infer<typeof stayHistorySchema>

export const NO_STAYS: StayHistory = { v: 1, stays: [] }

/** The history with one more stay; the oldest is forgotten when there are too many, and a stay that took no time is none. */
export function rememberStay(history: StayHistory, begun: StayBegun, lengthS: number): StayHistory {
  if (!(lengthS > 0) || !Number.isFinite(lengthS)) return history
  const plannedS = begun.plannedS !== null && begun.plannedS > 0 ? begun.plannedS : null
  return { v: 1, stays: [...history.stays, { ...begun, plannedS, lengthS }].slice(-STAYS_KEPT) }
}
