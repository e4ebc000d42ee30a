import { IANAZone } from 'luxon'

/** Offsets change by at most this around a moment. */
const AROUND_MS = 4 * 3_600_000
const DAY_MS = 86_400_000
/** Clocks change, and days begin, at whole quarters of an hour, so one answer holds for all of it. */
const QUARTER_MS = 900_000
const ANSWERS_KEPT = 4096
const EARLIEST_MS = Date.UTC(2000, 0, 1)
const LATEST_MS = Date.UTC(2100, 0, 1)

/** From and to as local times `HH:MM`; over midnight when `to` isn't after `from`. */
export interface LocalWindow {
  readonly from: string
  readonly to: string
}

/** Whether a clock may be right: it tells a time of this century. */
export function isPlausibleTime(unixMs: number): boolean {
  return unixMs >= EARLIEST_MS && unixMs < LATEST_MS
}

export interface LocalMoments {
  readonly first: number
  readonly last: number
}

/**
 * When a zone's clocks show `time` on the calendar day that lies `days` after the one of `nowUnixMs`. When clocks go
 * back it is shown twice, when they skip it never: then `first` and `last` are the earliest and latest it can be meant.
 */
export function localMoments(time: string, timeZone: string, nowUnixMs: number, days: number): LocalMoments {
  const day = Math.floor((nowUnixMs + offsetMs(timeZone, nowUnixMs)) / DAY_MS) + days
  const key = `${time} ${day}`
  const known = answersOf(moments, timeZone)
  const answer = known.get(key) ?? momentsOn(day, time, timeZone)
  known.set(key, answer)
  return answer
}

function momentsOn(day: number, time: string, timeZone: string): LocalMoments {
  const [hour = 0, minute = 0] = time.split(':').map(Number)
  const shown = day * DAY_MS + (hour * 60 + minute) * 60_000
  const about = shown - offsetMs(timeZone, shown)
  const meant = [about - AROUND_MS, about + AROUND_MS].map(near => shown - offsetMs(timeZone, near))
  const real = meant.filter(moment => moment + offsetMs(timeZone, moment) === shown)
  const candidates = real.length === 0 ? meant : real
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
  return `${shownAs(unixMs, timeZone).slice(11, 16)}${timeZone === null ? ' UTC' : ''}`
}

/** The calendar day of a moment in a zone, or UTC's, `YYYY-MM-DD`. */
export function localDay(unixMs: number, timeZone: string | null): string {
  const quarter = Math.floor(unixMs / QUARTER_MS)
  const known = answersOf(days, timeZone ?? 'UTC')
  const answer = known.get(quarter) ?? shownAs(unixMs, timeZone).slice(0, 10)
  known.set(quarter, answer)
  return answer
}

function shownAs(unixMs: number, timeZone: string | null): string {
  return new Date(unixMs + (timeZone === null ? 0 : offsetMs(timeZone, unixMs))).toISOString()
}

function offsetMs(timeZone: string, unixMs: number): number {
  const quarter = Math.floor(unixMs / QUARTER_MS)
  const known = answersOf(offsets, timeZone)
  const answer = known.get(quarter) ?? IANAZone.create(timeZone).offset(unixMs) * 60_000
  known.set(quarter, answer)
  return answer
}

/** Asking the calendar is slow, and the same few days are asked for again and again: answers are kept, a bounded number a zone. */
const offsets = new Map<string, Map<number, number>>()
const moments = new Map<string, Map<string, LocalMoments>>()
const days = new Map<string, Map<number, string>>()

function answersOf<Key, Answer>(of: Map<string, Map<Key, Answer>>, timeZone: string): Map<Key, Answer> {
  const known = of.get(timeZone) ?? new Map<Key, Answer>()
  of.set(timeZone, known)
  if (known.size >= ANSWERS_KEPT) known.clear()
  return known
}
