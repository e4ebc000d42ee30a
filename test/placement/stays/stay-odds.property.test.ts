import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NO_STAYS, rememberStay, type StayBegun, type StayHistory } from '../../../src/placement/stays/stay-history.ts'
import { bucketLengthS, lengthBucket, STAY_STEPS, stayOdds, stayStep, toldLengthS } from '../../../src/placement/stays/stay-odds.ts'
import { learnStayOdds } from '../../../src/placement/stays/stay-survival.ts'

const DAY_S = 86_400
const begun: fc.Arbitrary<StayBegun> = fc.record({
  arrivalHour: fc.double({ min: 0, max: 23.99, noNaN: true }),
  weekday: fc.nat(6),
  isPlugged: fc.boolean(),
  plannedS: fc.option(fc.integer({ min: -3600, max: 2 * DAY_S })),
  day: fc.integer({ min: -10, max: 400 })
})
const history: fc.Arbitrary<StayHistory> = fc
  .array(fc.tuple(begun, fc.integer({ min: 1, max: 3 * DAY_S })), { maxLength: 40 })
  .map(stays => stays.reduce((past, [stay, lengthS]) => rememberStay(past, stay, lengthS), NO_STAYS))
const seconds = fc.double({ min: 0, max: 4 * DAY_S, noNaN: true })

describe('the odds of staying', () => {
  it('lie within [0, 1] and never rise with the length, whatever the past', () => {
    fc.assert(
      fc.property(history, begun, seconds, seconds, seconds, (past, now, elapsedS, one, other) => {
        const odds = learnStayOdds(past, now)
        const [shorter, longer] = [odds(elapsedS, Math.min(one, other)), odds(elapsedS, Math.max(one, other))]
        expect(shorter).toBeLessThanOrEqual(1)
        expect(longer).toBeGreaterThanOrEqual(0)
        expect(longer).toBeLessThanOrEqual(shorter)
        expect(odds(elapsedS, 0)).toBe(1)
      })
    )
  })

  it('of two tasks one after the other are those of both together', () => {
    fc.assert(
      fc.property(
        history,
        begun,
        fc.integer({ min: 0, max: DAY_S }),
        fc.integer({ min: 1, max: 7200 }),
        fc.integer({ min: 1, max: 7200 }),
        (past, now, at, one, two) => {
          const odds = learnStayOdds(past, now)
          const first = odds(at, one)
          fc.pre(first > 1e-6)
          expect(first * odds(at + one, two)).toBeCloseTo(odds(at, one + two), 9)
        }
      )
    )
  })

  it('are told in six steps, and what a step says is within its range', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), odds => {
        const told = stayStep(odds) / 1_000_000
        expect(STAY_STEPS.map(step => step / 1_000_000)).toContain(told)
        if (told >= 0.9) expect(Math.abs(told - odds)).toBeLessThanOrEqual(0.04)
      })
    )
    expect(stayStep(0.9)).toBe(900_000)
    expect(stayStep(1)).toBe(990_000)
    expect(stayStep(0)).toBe(0)
  })
})

describe('the leaving time', () => {
  const habit = (lengthS: number): StayHistory =>
    Array.from({ length: 60 }).reduce<StayHistory>(
      (past, _, index) => rememberStay(past, { arrivalHour: 18, weekday: index % 7, isPlugged: true, plannedS: null, day: index }, lengthS),
      NO_STAYS
    )
  const evening: StayBegun = { arrivalHour: 18, weekday: 2, isPlugged: true, plannedS: null, day: 60 }

  it('is not told by habits: what comes well after the task is all the same', () => {
    for (const lengthS of [10, 300, 3600]) {
      const told = [8, 10, 12, 14].map(hours => stayOdds(habit(hours * 3600), { begun: evening, elapsedS: 3600 }, lengthS))
      expect(new Set(told).size).toBe(1)
      expect(told[0]).toBeGreaterThanOrEqual(950_000)
    }
  })

  it('is not told by plans: one that ends well after the task is like any other', () => {
    for (const lengthS of [10, 300, 3600]) {
      const told = [9, 11, 13, 30].map(hours => stayOdds(habit(36_000), { begun: { ...evening, plannedS: hours * 3600 }, elapsedS: 3600 }, lengthS))
      expect(new Set(told)).toEqual(new Set([990_000]))
    }
  })

  it('is not to be had by announcing longer tasks than the car runs', () => {
    const bucket = fc.option(fc.nat(12))
    fc.assert(
      fc.property(
        bucket,
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.option(fc.double({ min: 0.001, max: 100_000, noNaN: true })),
        (lengthBucket, deadlineSeconds, expectedS) => {
          const toldS = toldLengthS({ lengthBucket, deadlineSeconds }, expectedS)
          if (lengthBucket === null && expectedS === null) {
            expect(toldS).toBeNull()
            return
          }
          expect(toldS).toBeLessThanOrEqual(deadlineSeconds)
          expect(toldS).toBeLessThanOrEqual(bucketLengthS(lengthBucket ?? 12))
          expect(toldS).toBeLessThanOrEqual(4096)
          if (expectedS !== null) expect(toldS).toBeLessThanOrEqual(expectedS)
        }
      )
    )
  })

  it('is asked for in buckets of powers of two', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 4096, noNaN: true }), lengthS => {
        const most = bucketLengthS(lengthBucket(lengthS))
        expect(most).toBeGreaterThanOrEqual(lengthS)
        if (lengthS > 1) expect(most).toBeLessThan(2 * lengthS)
      })
    )
    expect(lengthBucket(1e9)).toBe(12)
  })
})
