import { describe, expect, test } from 'vitest'
import { parsePolicy } from '../../../src/energy/owner-policy.ts'
import { addToDay, addToDays, DAYS_KEPT, emptyDay, NO_DAYS, type OwnerDay, type OwnerDayPart, ownerDaysSchema } from '../../../src/energy/report/owner-day.ts'
import { ownerReport } from '../../../src/energy/report/owner-report.ts'

const KWH_MJ = 3.6e9
const POLICY = parsePolicy({ price: { electricityPerKwh: 0.4, wearPerKwh: 0.05 }, carbon: { embodied: { kilograms: 87.66, lifetimeYears: 10 } } })
const NO_CARBON = { drawnMj: 0, drawnGrams: 0, tasks: 0, taskMj: 0, taskGrams: 0, deviceMs: 0, forecastTasks: 0 }

const dayOf = (part: OwnerDayPart, day = '2026-03-29'): OwnerDay => addToDay(emptyDay(day), part)
const reportOf = (days: readonly OwnerDay[], policy = POLICY) => ownerReport({ days, from: '2026-03-01', to: '2026-03-31', policy })

/** 10 tasks at 0.1 kWh each, all measured, at 200 g/kWh on average; half an hour of the whole device each. */
const MEASURED: OwnerDayPart = {
  stays: 2,
  presentMs: 5.4e6,
  done: 10,
  runs: { measured: { count: 10, marginalMj: 0.8 * KWH_MJ, attributedMj: KWH_MJ } },
  idleMj: { measured: 0.5 * KWH_MJ },
  unpluggedMj: 0.4 * KWH_MJ,
  earned: { EUR: 900_000 },
  carbon: { average: { drawnMj: 1.5 * KWH_MJ, drawnGrams: 300, tasks: 10, taskMj: KWH_MJ, taskGrams: 200, deviceMs: 10 * 1.8e6, forecastTasks: 3 } }
}

describe('days', () => {
  test('add up, and stand in order whichever is added to first', () => {
    const parts: [string, OwnerDayPart][] = [
      ['2026-03-02', { done: 1, earned: { EUR: 5 } }],
      ['2026-03-01', { failed: 1 }],
      ['2026-03-02', { done: 2, earned: { EUR: 6, USD: 7 }, runs: { unknown: { count: 1, marginalMj: 0, attributedMj: 0 } } }]
    ]
    const { days } = parts.reduce((sum, [day, part]) => addToDays(sum, day, part), NO_DAYS)
    expect(days).toEqual([
      { ...emptyDay('2026-03-01'), failed: 1 },
      { ...emptyDay('2026-03-02'), done: 3, earned: { EUR: 11, USD: 7 }, runs: { unknown: { count: 1, marginalMj: 0, attributedMj: 0 } } }
    ])
    expect(ownerDaysSchema.parse(JSON.parse(JSON.stringify({ v: 1, days })))).toEqual({ v: 1, days })
  })

  test('are kept for a quarter of a year', () => {
    const from = Date.parse('2026-01-01')
    const all = Array.from({ length: DAYS_KEPT + 5 }, (_, index) => new Date(from + index * 86_400_000).toISOString().slice(0, 10))
    const { days } = all.reduce((sum, day) => addToDays(sum, day, { stays: 1 }), NO_DAYS)
    expect(days.map(({ day }) => day)).toEqual(all.slice(5))
  })
})

describe('a report', () => {
  test('sums hours, tasks, energy and earnings, and takes off electricity and wear at the policy’s prices', () => {
    const report = reportOf([dayOf(MEASURED), dayOf({ stays: 1, presentMs: 1.8e6, handedBack: 1 }, '2026-03-30')])
    expect(report).toMatchObject({ daysPresent: 2, hours: 2, stays: 3, tasks: { done: 10, failed: 0, handedBack: 1 }, earned: { EUR: 0.9 }, unknown: [] })
    expect(report.energy).toEqual({ by: 'measured', runs: { measured: 10, estimated: 0, unknown: 0 }, marginalKwh: 0.8, attributedKwh: 1, idleKwh: 0.5 })
    // 1.5 kWh at 0.40, and 0.4 kWh through the battery at 0.05.
    expect(report.costs.electricity).toBeCloseTo(0.6, 9)
    expect(report.costs.wear).toBeCloseTo(0.02, 9)
    expect(report.costs.net).toBeCloseTo(0.28, 9)
  })

  test('leaves out days before and after', () => {
    expect(reportOf([dayOf(MEASURED, '2026-02-28'), dayOf(MEASURED, '2026-03-01'), dayOf(MEASURED, '2026-04-01')]).tasks.done).toBe(10)
  })

  test('tells SCI per task: (E × I) + M', () => {
    const [average, ...others] = reportOf([dayOf(MEASURED)]).carbon
    expect(others).toEqual([])
    // 0.1 kWh at 200 g/kWh; half an hour of 87,660 h of a device of 87.66 kg.
    expect(average).toMatchObject({ kind: 'average', grams: 300, ofKwh: 1.5, tasks: 10, forecastTasks: 3, operationalGramsPerTask: 20 })
    expect(average?.sciGramsPerTask).toBeCloseTo(20.5, 9)
  })

  test('never adds average and marginal figures', () => {
    const marginal = { ...NO_CARBON, drawnMj: KWH_MJ, drawnGrams: 700, tasks: 1, taskMj: KWH_MJ, taskGrams: 700 }
    const { carbon } = reportOf([dayOf(MEASURED), dayOf({ done: 1, carbon: { marginal } }, '2026-03-30')])
    expect(carbon.map(({ kind, grams, operationalGramsPerTask }) => [kind, grams, operationalGramsPerTask])).toEqual([
      ['average', 300, 20],
      ['marginal', 700, 700]
    ])
  })

  test('says that SCI is unknown without M, and what E × I alone is', () => {
    const { carbon, unknown } = reportOf([dayOf(MEASURED)], parsePolicy({}))
    expect(carbon).toMatchObject([{ sciGramsPerTask: null, operationalGramsPerTask: 20 }])
    expect(unknown).toEqual([expect.stringContaining('set carbon.embodied')])
  })

  test('knows no cost where no energy is known, and says so', () => {
    const report = reportOf([dayOf({ presentMs: 1000, done: 3, runs: { unknown: { count: 3, marginalMj: 0, attributedMj: 0 } } })])
    expect(report.energy).toMatchObject({ by: 'unknown', idleKwh: null })
    expect(report.costs).toMatchObject({ electricity: null, wear: null, net: null })
    expect(report.carbon).toEqual([])
    expect(report.unknown.join('\n')).toMatch(/energy of 3 of 3 runs.*\n.*while it waited.*\n.*no carbon intensity was told/)
  })

  test('is no better known than its parts, and says what it leaves out', () => {
    const runs = { estimated: { count: 1, marginalMj: 1, attributedMj: KWH_MJ }, unknown: { count: 1, marginalMj: 0, attributedMj: 0 } }
    const report = reportOf([dayOf(MEASURED), dayOf({ done: 2, runs, idleMj: { estimated: 0 }, earned: { USD: 2_000_000 } }, '2026-03-30')])
    expect(report.energy.by).toBe('unknown')
    expect(report.costs.electricity).toBeCloseTo(1, 9)
    expect(report.costs.net).toBeCloseTo(0.9 - 1 - 0.02, 9)
    expect(report.unknown).toEqual([
      expect.stringContaining('energy of 1 of 12 runs'),
      expect.stringContaining('idle computer'),
      expect.stringContaining('USD'),
      expect.stringContaining('1.00 kWh emitted'),
      expect.stringContaining('SCI of 2 of 12 tasks')
    ])
  })

  test('of nothing is nothing, without a figure that is no number', () => {
    const report = reportOf([])
    expect(report).toMatchObject({ daysPresent: 0, hours: 0, earned: {}, costs: { electricity: 0, wear: 0, net: 0 }, carbon: [], unknown: [] })
    expect(JSON.stringify(reportOf([dayOf({ carbon: { average: NO_CARBON } })]))).not.toMatch(/NaN|"sciGramsPerTask":0/)
  })
})
