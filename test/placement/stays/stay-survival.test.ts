import { describe, expect, test } from 'vitest'
import { NO_STAYS, rememberStay, STAYS_KEPT, type StayBegun, type StayHistory, stayHistorySchema } from '../../../src/placement/stays/stay-history.ts'
import { learnStayOdds } from '../../../src/placement/stays/stay-survival.ts'

const HOUR_S = 3600
const stay = (parts: Partial<StayBegun> = {}): StayBegun => ({ arrivalHour: 18, weekday: 1, isPlugged: false, plannedS: null, day: 0, ...parts })

/** Every day of eight weeks: leaves at 7:30 on working days, at 16 on others, after coming home at 18 h. */
const commuter = Array.from({ length: 56 }).reduce<StayHistory>((past, _, day) => {
  const weekday = day % 7
  const nextIsWorkday = weekday !== 4 && weekday !== 5
  return rememberStay(past, stay({ weekday, day }), (nextIsWorkday ? 13.5 : 22) * HOUR_S)
}, NO_STAYS)

describe('a car that has learnt its stays', () => {
  test('stays in the evening and leaves about when it always does', () => {
    const odds = learnStayOdds(commuter, stay({ weekday: 2, day: 58 }))
    expect(odds(HOUR_S, HOUR_S)).toBeGreaterThan(0.95)
    expect(odds(10 * HOUR_S, HOUR_S)).toBeGreaterThan(0.9)
    expect(odds(13 * HOUR_S, HOUR_S)).toBeLessThan(0.8)
  })

  test('knows one weekday from another', () => {
    const at = (weekday: number): number => learnStayOdds(commuter, stay({ weekday, day: 58 }))(13 * HOUR_S, HOUR_S)
    expect(at(5)).toBeGreaterThan(at(2) + 0.1)
  })

  test('knows one hour of arrival from another, across midnight too', () => {
    const late = rememberNightShift(commuter)
    const odds = (arrivalHour: number): number => learnStayOdds(late, stay({ arrivalHour, weekday: 2, day: 58 }))(0, 5 * HOUR_S)
    expect(odds(0.2)).toBeCloseTo(odds(23.8), 1)
    expect(odds(18)).toBeGreaterThan(odds(0.2) + 0.3)
  })

  test('forgets how it used to be', () => {
    const moved = Array.from({ length: 30 }).reduce<StayHistory>(
      (past, _, index) => rememberStay(past, stay({ weekday: index % 7, day: 200 + index }), 2 * HOUR_S),
      commuter
    )
    expect(learnStayOdds(moved, stay({ weekday: 2, day: 231 }))(0, 4 * HOUR_S)).toBeLessThan(0.25)
  })

  test('trusts a plan, and less so after it was broken often', () => {
    const keep = (deviationS: number): StayHistory =>
      Array.from({ length: 40 }).reduce<StayHistory>(
        (past, _, day) => rememberStay(past, stay({ weekday: day % 7, day, plannedS: 10 * HOUR_S }), 10 * HOUR_S + deviationS),
        NO_STAYS
      )
    const planned = stay({ weekday: 3, day: 41, plannedS: 6 * HOUR_S })
    const punctual = learnStayOdds(keep(0), planned)
    const hasty = learnStayOdds(keep(-4 * HOUR_S), planned)
    expect(punctual(4 * HOUR_S, HOUR_S)).toBeGreaterThan(0.95)
    expect(hasty(4 * HOUR_S, HOUR_S)).toBeLessThan(0.85)
    expect(punctual(5.9 * HOUR_S, HOUR_S)).toBeLessThan(0.1)
  })

  test('that stays on when its plan is long past, goes by its habits', () => {
    const odds = learnStayOdds(commuter, stay({ weekday: 2, day: 58, plannedS: HOUR_S }))
    expect(odds(6 * HOUR_S, HOUR_S)).toBeGreaterThan(0.8)
  })
})

describe('a car without a past', () => {
  test.each([9, 18, 23])('goes by the figures of strangers at %i h: fine for a minute, unsure for a night', arrivalHour => {
    const odds = learnStayOdds(NO_STAYS, stay({ arrivalHour }))
    expect(odds(60, 60)).toBeGreaterThan(0.95)
    expect(odds(60, 8 * HOUR_S)).toBeLessThan(0.5)
  })
})

describe('a history', () => {
  test('is plain data that comes back from JSON as it was', () => {
    const past = rememberStay(commuter, stay({ plannedS: 100 }), 5)
    expect(stayHistorySchema.parse(JSON.parse(JSON.stringify(past)))).toEqual(past)
    expect(stayHistorySchema.safeParse({ ...past, latitude: 48 }).success).toBe(false)
    expect(stayHistorySchema.safeParse({ v: 1, stays: [{ ...past.stays[0], lengthS: -1 }] }).success).toBe(false)
  })

  test('keeps the latest stays and passes over what took no time', () => {
    let past = commuter
    for (let day = 0; day < STAYS_KEPT; day++) past = rememberStay(past, stay({ day: 100 + day }), 60)
    expect(past.stays.length).toBe(STAYS_KEPT)
    expect(past.stays[0]!.day).toBe(100)
    for (const lengthS of [0, -5, Number.NaN, Number.POSITIVE_INFINITY]) expect(rememberStay(past, stay(), lengthS)).toBe(past)
    expect(rememberStay(NO_STAYS, stay({ plannedS: -60 }), 60).stays[0]!.plannedS).toBeNull()
  })
})

function rememberNightShift(past: StayHistory): StayHistory {
  return Array.from({ length: 28 }).reduce<StayHistory>(
    (known, _, index) => rememberStay(known, stay({ arrivalHour: index % 2 === 0 ? 23.9 : 0.1, weekday: index % 7, day: 28 + index }), 3 * HOUR_S),
    past
  )
}
