import { expect, test } from 'vitest'
import { createReportDesk } from '../../../src/car/owner/report-desk.ts'
import { createReportKeeper } from '../../../src/car/owner/report-keeper.ts'
import type { GridIntensity } from '../../../src/energy/carbon.ts'
import type { OwnerDays } from '../../../src/energy/report/owner-day.ts'
import type { PeerId } from '../../../src/protocol/ids.ts'

const KWH_MJ = 3.6e9
const HOUR_MS = 3_600_000
const MEASURED = { marginalMj: KWH_MJ / 2, attributedMj: KWH_MJ, by: 'measured' } as const
const UNKNOWN = { marginalMj: 0, attributedMj: 0, by: 'unknown' } as const

/** A desk at a time and place of its own; `kept` is what is on the disk. */
function open() {
  const at = {
    ms: 0,
    unixMs: Date.parse('2026-03-28T22:30Z'),
    plugged: true,
    grid: undefined as GridIntensity | undefined,
    kept: undefined as OwnerDays | undefined
  }
  let writes = 0
  const openKeeper = () =>
    createReportKeeper({
      store: {
        read: () => at.kept,
        write: days => {
          writes++
          at.kept = days
        }
      },
      unixMs: () => at.unixMs,
      timeZone: () => 'Europe/Berlin'
    })
  const keeper = openKeeper()
  const desk = createReportDesk({ keeper, nowMs: () => at.ms, unixMs: () => at.unixMs, grid: () => at.grid, isPluggedIn: () => at.plugged, cores: 4 })
  const pass = (ms: number): void => {
    at.ms += ms
    at.unixMs += ms
  }
  const done = (energy: typeof MEASURED | typeof UNKNOWN): void =>
    desk.note({ type: 'done', client: 'x' as PeerId, ranUs: 8_000_000, readUs: 1, proveUs: 1, together: 2, earned: { amount: 30, unit: 'EUR' }, energy })
  return { at, desk, keeper, openKeeper, pass, done, writes: () => writes }
}

test('hours count from joining to leaving, each on the local day on which it passed', () => {
  const { at, desk, keeper, pass } = open()
  desk.note({ type: 'joined', why: 'fit' })
  pass(HOUR_MS / 2)
  desk.collect(null)
  pass(HOUR_MS)
  desk.collect(null)
  desk.note({ type: 'left', reason: 'driver' })
  pass(HOUR_MS)
  desk.collect({ energyMj: KWH_MJ, by: 'measured' })
  keeper.save()
  // 22:30 UTC is 23:30 in Berlin; the first half hour ends at midnight, and is booked then.
  expect(at.kept?.days.map(({ day, stays, presentMs, idleMj }) => ({ day, stays, presentMs, idleMj }))).toEqual([
    { day: '2026-03-28', stays: 1, presentMs: 0, idleMj: {} },
    { day: '2026-03-29', stays: 0, presentMs: 1.5 * HOUR_MS, idleMj: {} }
  ])
})

test('energy goes to its provenance, to wear unless surely plugged in, and to the kind of intensity that holds', () => {
  const { at, desk, keeper, done } = open()
  at.grid = { gramsPerKwh: 200, kind: 'average', atUnixMs: at.unixMs, isEstimated: true }
  desk.note({ type: 'joined', why: 'fit' })
  desk.ran(MEASURED)
  done(MEASURED)
  at.plugged = false
  at.grid = { gramsPerKwh: 700, kind: 'marginal', atUnixMs: at.unixMs, isEstimated: false }
  desk.collect({ energyMj: KWH_MJ, by: 'measured' })
  at.grid = { ...at.grid, atUnixMs: at.unixMs - 3 * HOUR_MS }
  desk.ran(MEASURED)
  desk.ran(UNKNOWN)
  done(UNKNOWN)
  keeper.save()
  const [day] = at.kept?.days ?? []
  expect(day).toMatchObject({
    done: 2,
    earned: { EUR: 60 },
    runs: { measured: { count: 2, marginalMj: KWH_MJ, attributedMj: 2 * KWH_MJ }, unknown: { count: 1, attributedMj: 0 } },
    idleMj: { measured: KWH_MJ },
    unpluggedMj: 2 * KWH_MJ
  })
  // Two tasks shared 8 s on one of four cores: one second of the whole device each.
  expect(day?.carbon).toEqual({
    average: { drawnMj: KWH_MJ, drawnGrams: 200, tasks: 1, taskMj: KWH_MJ, taskGrams: 200, deviceMs: 1000, forecastTasks: 1 },
    marginal: { drawnMj: KWH_MJ, drawnGrams: 700, tasks: 0, taskMj: 0, taskGrams: 0, deviceMs: 0, forecastTasks: 0 }
  })
})

test('is written when something changed, and goes on from what was written', () => {
  const { at, desk, keeper, openKeeper, done, writes } = open()
  keeper.save()
  expect(writes()).toBe(0)
  done(UNKNOWN)
  desk.note({ type: 'failed', client: 'x' as PeerId, reason: 'y' })
  keeper.save()
  keeper.save()
  expect(writes()).toBe(1)
  const again = openKeeper()
  again.add({ done: 1 })
  again.save()
  expect(at.kept?.days).toMatchObject([{ done: 2, failed: 1 }])
})
