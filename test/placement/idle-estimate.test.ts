import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { idleCars, learnIdle, NOTHING_LEARNED, partAsked } from '../../src/placement/idle-estimate.ts'
import { ALL_CARS, answersRound, firstTheta, nextTheta } from '../../src/placement/suppression.ts'

const bytesOf = (name: string): Uint8Array => createHash('sha256').update(name).digest()
const CARS = Array.from({ length: 1000 }, (_, index) => bytesOf(`car ${index}`))
const ENOUGH = 3

/** Asks again and again as a client does; a second round goes out when the first brought too few. Offers of each ask. */
function askRepeatedly(idle: number, carsTold: number, asks: number): number[] {
  let learned = NOTHING_LEARNED
  return Array.from({ length: asks }, (_, ask) => {
    const task = bytesOf(`task ${ask} of ${idle}`).subarray(0, 16)
    const thetas: number[] = []
    const offered = new Set<number>()
    for (let round = 0; round < 2 && offered.size < ENOUGH; round++) {
      const theta = round === 0 ? firstTheta(1, idleCars(learned, carsTold)) : nextTheta(thetas[0] ?? 0)
      thetas.push(theta)
      for (let car = 0; car < idle; car++) if (answersRound(task, round, CARS[car]!, theta)) offered.add(car)
    }
    learned = learnIdle(learned, { carsTold, part: partAsked(thetas), offers: offered.size })
    return offered.size
  })
}
const share = (offers: readonly number[]): number => offers.filter(count => count >= 3 && count <= 8).length / offers.length

describe('learning how many cars are idle', () => {
  it('brings 3 to 8 offers mostly, from 10 cars and from 1,000', () => {
    for (const cars of [10, 1000]) expect(share(askRepeatedly(cars, cars, 200).slice(10)), `${cars} cars`).toBeGreaterThan(0.75)
  })

  it('finds the number when most are busy, or when cars tell far too few or too many', () => {
    for (const [idle, told] of [
      [50, 1000],
      [1000, 20],
      [100, 10],
      [20, 1000]
    ] as const)
      expect(share(askRepeatedly(idle, told, 200).slice(10)), `${idle} of ${told} told`).toBeGreaterThan(0.7)
  })

  it('asks for less after one flood of offers', () => {
    const [first, second, third] = askRepeatedly(1000, 5, 3)
    expect(first).toBe(1000)
    expect(second).toBeLessThan(30)
    expect(third).toBeLessThan(20)
  })

  it('counts what all rounds together asked, and learns nothing from rounds that nobody heard', () => {
    expect(partAsked([])).toBe(0)
    expect(partAsked([ALL_CARS / 2, ALL_CARS / 2])).toBeCloseTo(0.75)
    expect(partAsked([ALL_CARS, 5])).toBe(1)
    expect(learnIdle(NOTHING_LEARNED, { carsTold: 10, part: 0, offers: 0 })).toEqual(NOTHING_LEARNED)
  })
})
