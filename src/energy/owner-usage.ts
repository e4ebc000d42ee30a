import { localDay } from './local-time.ts'

/** What work has used of the daily caps; the day is a calendar day in the policy's zone. */
export interface OwnerUsage {
  /** ISO date, e.g. 2026-03-29. */
  readonly day: string
  readonly energyMj: number
  readonly networkBytes: number
  /** When it was last added to, ms since 1970 UTC: a clock that goes back behind it isn't to be trusted. */
  readonly updatedUnixMs: number
}

interface Zoned {
  readonly timeZone: string | null
}

/** Nothing used yet on the day of `nowUnixMs`; without a zone days are UTC's. */
export function noUsage(nowUnixMs: number, { timeZone }: Zoned): OwnerUsage {
  return { day: localDay(nowUnixMs, timeZone), energyMj: 0, networkBytes: 0, updatedUnixMs: nowUnixMs }
}

/**
 * The usage with `energyMj` (millijoules, whole) and `networkBytes` more. A later calendar day starts at 0; an earlier
 * one, told by a clock that was set back, doesn't.
 */
export function addUsage(
  usage: OwnerUsage,
  more: { readonly energyMj?: number; readonly networkBytes?: number },
  nowUnixMs: number,
  { timeZone }: Zoned
): OwnerUsage {
  const kept = usageToday(usage, nowUnixMs, { timeZone })
  return {
    day: kept.day,
    energyMj: kept.energyMj + (more.energyMj ?? 0),
    networkBytes: kept.networkBytes + (more.networkBytes ?? 0),
    updatedUnixMs: Math.max(usage.updatedUnixMs, nowUnixMs)
  }
}

/** The usage that counts at `nowUnixMs`: none on a later day than it was made on. */
export function usageToday(usage: OwnerUsage, nowUnixMs: number, { timeZone }: Zoned): OwnerUsage {
  const day = localDay(nowUnixMs, timeZone)
  return day > usage.day ? { ...usage, day, energyMj: 0, networkBytes: 0 } : usage
}
