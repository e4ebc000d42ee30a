import { describe, expect, test } from 'vitest'
import { DAY_S, drawStays, type Stay } from '../../src/simulator/commute.ts'
import { meanStayHours } from '../../src/simulator/stay-figures.ts'

const CARS = 300
const DAYS = 28
const fleet = Array.from({ length: CARS }, (_, car) => drawStays({ seed: 7, days: DAYS, car }))
const all = fleet.flat()
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const lengthOf = (stay: Stay): number => stay.leaveS - stay.arriveS
const hourOf = (atS: number): number => (((atS / 3600) % 24) + 24) % 24
const drives = fleet.flatMap(stays => stays.slice(1).map((stay, index) => stay.arriveS - stays[index]!.leaveS))

describe('a fleet of commuters, by the figures of its sources', () => {
  test('drives 45 to 65 minutes a day and stands 95 to 97 % of the time', () => {
    const minutes = sum(drives) / 60 / CARS / DAYS
    expect(minutes).toBeGreaterThan(45)
    expect(minutes).toBeLessThan(65)
    const parked = 1 - sum(drives) / (sum(drives) + sum(all.map(lengthOf)))
    expect(parked).toBeGreaterThan(0.95)
    expect(parked).toBeLessThan(0.97)
  })

  test('comes home between 16 and 24 h four times of five, most at about 18 h', () => {
    const hours = all.filter(({ place }) => place === 'home').map(({ arriveS }) => hourOf(arriveS))
    expect(hours.filter(hour => hour >= 16).length / hours.length).toBeCloseTo(0.8, 1)
    const counts = Array.from({ length: 24 }, (_, at) => hours.filter(hour => Math.floor(hour) === at).length)
    expect([17, 18]).toContain(counts.indexOf(Math.max(...counts)))
  })

  test.each([
    ['home', 16],
    ['home', 18],
    ['home', 20],
    ['home', 22],
    ['work', 8],
    ['work', 9],
    ['public', 9],
    ['public', 12]
  ] as const)('stays at %s from %i h on as long as the figure says, within a fifth', (place, hour) => {
    const near = all.filter(stay => stay.place === place && Math.abs(hourOf(stay.arriveS) - hour) < 0.5).map(lengthOf)
    const mean = sum(near) / near.length / 3600
    expect(near.length).toBeGreaterThan(200)
    expect(mean / meanStayHours(place, hour)).toBeGreaterThan(0.8)
    expect(mean / meanStayHours(place, hour)).toBeLessThan(1.2)
    const deviation = Math.sqrt(sum(near.map(length => (length / 3600 - mean) ** 2)) / near.length)
    expect(deviation / mean).toBeGreaterThan(0.25)
    expect(deviation / mean).toBeLessThan(0.5)
  })

  test('leaves unannounced 5 to 10 times of a hundred, then before the time that was planned', () => {
    const surprises = all.filter(({ announced }) => !announced)
    expect(surprises.length / all.length).toBeGreaterThan(0.05)
    expect(surprises.length / all.length).toBeLessThan(0.1)
    expect(surprises.filter(({ leaveS, plannedLeaveS }) => leaveS < plannedLeaveS).length / surprises.length).toBeGreaterThan(0.95)
  })

  test.each([
    [undefined, 0.07, 0.18],
    [0.9, 0.75, 0.9]
  ])('is plugged in for its share of the hours (%s)', (pluggedShare, least, most) => {
    const stays = pluggedShare === undefined ? all : Array.from({ length: 60 }, (_, car) => drawStays({ seed: 7, days: DAYS, car, pluggedShare })).flat()
    const plugged = sum(stays.map(({ pluggedFromS, pluggedUntilS }) => (pluggedFromS === null ? 0 : pluggedUntilS! - pluggedFromS)))
    const share = plugged / sum(stays.map(lengthOf))
    expect(share).toBeGreaterThan(least)
    expect(share).toBeLessThan(most)
  })
})

describe('the stays of one car', () => {
  test('are the same for the same seed, and others for another seed or car', () => {
    const draw = (seed: number, car: number) => JSON.stringify(drawStays({ seed, days: 3, car }))
    expect(draw(1, 2)).toBe(draw(1, 2))
    expect(new Set([draw(1, 2), draw(2, 2), draw(1, 3), draw(2, 1)]).size).toBe(4)
  })

  test('follow one another with a drive between, and hold together', () => {
    for (const stays of fleet.slice(0, 60)) {
      expect(stays[0]!.arriveS).toBeLessThanOrEqual(DAY_S)
      expect(stays.at(-1)!.leaveS).toBeGreaterThan((DAYS - 1) * DAY_S)
      stays.forEach((stay, index) => {
        expect(lengthOf(stay)).toBeGreaterThanOrEqual(600)
        if (index > 0) expect(stay.arriveS).toBeGreaterThan(stays[index - 1]!.leaveS)
        if (stay.pluggedFromS !== null) {
          expect(stay.pluggedFromS).toBeGreaterThan(stay.arriveS)
          expect(stay.pluggedUntilS!).toBeGreaterThan(stay.pluggedFromS)
          expect(stay.pluggedUntilS!).toBeLessThan(stay.leaveS)
        }
        expect(stay.socAtArrival).toBeGreaterThan(0)
        expect(stay.socAtLeave).toBeLessThanOrEqual(100)
        expect(stay.socAtLeave).toBeGreaterThanOrEqual(stay.socAtArrival)
      })
    }
  })

  test('vary less from week to week than from car to car: a car has habits', () => {
    const logs = (stays: readonly Stay[]) => stays.filter(({ place, announced }) => place === 'home' && announced).map(stay => Math.log(lengthOf(stay)))
    const variance = (values: readonly number[]): number => {
      const mean = sum(values) / values.length
      return sum(values.map(value => (value - mean) ** 2)) / values.length
    }
    const byWeekday = fleet.flatMap(stays =>
      [0, 1, 2, 3, 4, 5, 6].flatMap(weekday => {
        const own = logs(stays.filter(({ arriveS }) => Math.floor(arriveS / DAY_S) % 7 === weekday))
        return own.length >= 3 ? [variance(own)] : []
      })
    )
    expect(sum(byWeekday) / byWeekday.length).toBeLessThan(variance(logs(all)) * 0.7)
  })

  test('need a whole number of days', () => {
    expect(() => drawStays({ seed: 1, days: 0 })).toThrow('give a whole number above 0')
    expect(() => drawStays({ seed: 1, days: 1.5 })).toThrow('days is 1.5')
  })
})
