import { DateTime, IANAZone } from 'luxon'

/** Offsets change by at most this around a moment. */
const AROUND_MS = 4 * 3_600_000
const DAY_MS = 86_400_000

/** From and to as local times `HH:MM`; over midnight when `to` isn't after `from`. */
export interface LocalWindow {
  readonly from: string
  readonly to: string
}

/**
 * When a zone's clocks show `time` on the calendar day that lies `days` after the one of `nowUnixMs`. When clocks go
 * back it is shown twice, when they skip it never: then `first` and `last` are the earliest and latest it can be meant.
 */
export function localMoments(time: string, timeZone: string, nowUnixMs: number, days: number): { readonly first: number; readonly last: number } {
  const zone = IANAZone.create(timeZone)
  const { year, month, day } = DateTime.fromMillis(nowUnixMs, { zone })
  const [hour = 0, minute = 0] = time.split(':').map(Number)
  const shown = Date.UTC(year, month - 1, day + days, hour, minute)
  const about = shown - zone.offset(shown) * 60_000
  const moments = [zone.offset(about - AROUND_MS), zone.offset(about + AROUND_MS)].map(offset => shown - offset * 60_000)
  const real = moments.filter(moment => moment + zone.offset(moment) * 60_000 === shown)
  const candidates = real.length === 0 ? moments : real
  return { first: Math.min(...candidates), last: Math.max(...candidates) }
}

/** The next moment after `nowUnixMs` at which it is `time`; the earlier one where it is shown twice. */
export function nextLocalTime(time: string, timeZone: string, nowUnixMs: number): number {
  // Two days ahead, because a day may have been left out when a zone crossed the date line.
  for (const days of [0, 1, 2]) {
    const { first } = localMoments(time, timeZone, nowUnixMs, days)
    if (first > nowUnixMs) return first
  }
  return nowUnixMs + DAY_MS
}

/** When the window that `nowUnixMs` lies in ends; null when it lies in none. */
export function windowEnd(windows: readonly LocalWindow[], timeZone: string, nowUnixMs: number): number | null {
  const ends = spans(windows, timeZone, nowUnixMs).filter(({ start, end }) => start <= nowUnixMs && nowUnixMs < end)
  return ends.length === 0 ? null : Math.max(...ends.map(({ end }) => end))
}

/** When the next window begins; null when there are none. */
export function nextWindowStart(windows: readonly LocalWindow[], timeZone: string, nowUnixMs: number): number | null {
  const starts = spans(windows, timeZone, nowUnixMs).flatMap(({ start }) => (start > nowUnixMs ? [start] : []))
  return starts.length === 0 ? null : Math.min(...starts)
}

function spans(windows: readonly LocalWindow[], timeZone: string, nowUnixMs: number) {
  return windows.flatMap(({ from, to }) =>
    [-1, 0, 1, 2].map(days => ({
      start: localMoments(from, timeZone, nowUnixMs, days).first,
      end: localMoments(to, timeZone, nowUnixMs, to > from ? days : days + 1).last
    }))
  )
}

/** A moment as the zone's clocks show it, `HH:MM`. */
export function shownTime(unixMs: number, timeZone: string | null): string {
  return DateTime.fromMillis(unixMs, { zone: timeZone ?? 'utc' }).toFormat(timeZone === null ? "HH:mm 'UTC'" : 'HH:mm')
}
