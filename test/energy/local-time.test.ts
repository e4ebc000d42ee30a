import { expect, test } from 'vitest'
import { localDay, nextLocalTime, nextWindowStart, shownTime, windowEnd } from '../../src/energy/local-time.ts'

const at = (text: string) => Date.parse(text)
const utc = (unixMs: number | null) => (unixMs === null ? null : new Date(unixMs).toISOString().slice(0, 16))

test.each([
  ['Europe/Berlin', '2026-01-15T10:00Z', '07:30', '2026-01-16T06:30'],
  ['Europe/Berlin', '2026-07-01T05:29Z', '07:30', '2026-07-01T05:30'],
  ['Europe/Berlin', '2026-07-01T05:30Z', '07:30', '2026-07-02T05:30'],
  // The night in which clocks go forward is an hour shorter, the other an hour longer.
  ['Europe/Berlin', '2026-03-28T20:00Z', '07:30', '2026-03-29T05:30'],
  ['Europe/Berlin', '2026-10-24T20:00Z', '07:30', '2026-10-25T06:30'],
  // 02:30 is skipped, then meant at the earliest; and shown twice, then meant the first time.
  ['Europe/Berlin', '2026-03-28T20:00Z', '02:30', '2026-03-29T00:30'],
  ['Europe/Berlin', '2026-10-24T20:00Z', '02:30', '2026-10-25T00:30'],
  ['America/New_York', '2026-03-08T00:00Z', '07:30', '2026-03-08T11:30'],
  ['Asia/Kolkata', '2026-03-08T00:00Z', '07:30', '2026-03-08T02:00'],
  ['Pacific/Chatham', '2026-01-01T00:00Z', '07:30', '2026-01-01T17:45'],
  ['Australia/Lord_Howe', '2026-07-01T00:00Z', '07:30', '2026-07-01T21:00']
])('in %s after %s it is next %s at %sZ', (zone, now, time, expected) => {
  expect(utc(nextLocalTime(time, zone, at(now)))).toBe(expected)
})

test('a window over midnight holds on both sides of it, and ends where it should', () => {
  const windows = [{ from: '22:00', to: '06:00' }]
  const zone = 'Europe/Berlin'
  expect(utc(windowEnd(windows, zone, at('2026-01-15T21:00Z')))).toBe('2026-01-16T05:00')
  expect(utc(windowEnd(windows, zone, at('2026-01-16T04:59Z')))).toBe('2026-01-16T05:00')
  expect(windowEnd(windows, zone, at('2026-01-16T05:00Z'))).toBeNull()
  expect(windowEnd(windows, zone, at('2026-01-15T20:59Z'))).toBeNull()
  expect(utc(nextWindowStart(windows, zone, at('2026-01-15T20:59Z')))).toBe('2026-01-15T21:00')
  expect(nextWindowStart([], zone, at('2026-01-15T20:59Z'))).toBeNull()
})

test('where clocks change, a window is rather longer than shorter', () => {
  const zone = 'Europe/Berlin'
  const windows = [{ from: '02:15', to: '02:45' }]
  // Shown twice: from the first time on until the second is over.
  expect(utc(windowEnd(windows, zone, at('2026-10-25T00:30Z')))).toBe('2026-10-25T01:45')
  // Skipped: it still is half an hour somewhere about the change.
  expect(utc(nextWindowStart(windows, zone, at('2026-03-28T22:00Z')))).toBe('2026-03-29T00:15')
})

test('moments are shown in the zone, days counted in it', () => {
  expect(shownTime(at('2026-07-01T05:30Z'), 'Europe/Berlin')).toBe('07:30')
  expect(shownTime(at('2026-07-01T05:30Z'), null)).toBe('05:30 UTC')
  expect(localDay(at('2026-07-01T23:30Z'), 'Europe/Berlin')).toBe('2026-07-02')
  expect(localDay(at('2026-07-01T23:30Z'), null)).toBe('2026-07-01')
  // Zones that are quarters of an hour apart, on both sides of their midnights.
  expect(localDay(at('2026-07-01T18:14:59.999Z'), 'Asia/Kathmandu')).toBe('2026-07-01')
  expect(localDay(at('2026-07-01T18:15Z'), 'Asia/Kathmandu')).toBe('2026-07-02')
  expect(localDay(at('2026-07-01T18:15Z'), 'Asia/Kolkata')).toBe('2026-07-01')
})
