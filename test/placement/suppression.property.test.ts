import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ALL_CARS, answersRound, firstTheta, nextTheta, roundWaitMs } from '../../src/placement/suppression.ts'

const carOf = (index: number): Uint8Array => createHash('sha256').update(`car ${index}`).digest()
const answering = (task: Uint8Array, round: number, cars: number, theta: number): number =>
  Array.from({ length: cars }, (_, index) => answersRound(task, round, carOf(index), theta)).filter(Boolean).length

describe('offer suppression', () => {
  it('lets about the wanted number of a thousand cars answer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), task => {
        const count = answering(task, 0, 1000, firstTheta(1, 1000))
        expect(count).toBeLessThan(20)
      }),
      { numRuns: 10 }
    )
    const tasks = Array.from({ length: 40 }, (_, index) => carOf(index).subarray(0, 16))
    const mean = tasks.reduce((sum, task) => sum + answering(task, 0, 1000, firstTheta(1, 1000)), 0) / tasks.length
    expect(mean).toBeGreaterThan(4)
    expect(mean).toBeLessThan(6)
  })

  it('asks everybody when few are there, and in the end', () => {
    expect(firstTheta(1, 3)).toBe(ALL_CARS)
    fc.assert(fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(1000), (task, index) => answersRound(task, 3, carOf(index), ALL_CARS)))
    let theta = firstTheta(1, 10_000_000)
    let rounds = 0
    for (; theta < ALL_CARS; rounds++) theta = nextTheta(theta)
    expect(rounds).toBeLessThanOrEqual(32)
  })

  it('gives other cars the word in other rounds and for other tasks', () => {
    const task = carOf(1).subarray(0, 16)
    const chosen = (round: number): string =>
      Array.from({ length: 200 }, (_, index) => (answersRound(task, round, carOf(index), 2 ** 30) ? index : '')).join(' ')
    expect(chosen(0)).not.toBe(chosen(1))
  })

  it('waits three usual times for offers, and 150 ms at least', () => {
    expect([roundWaitMs(10), roundWaitMs(100)]).toEqual([150, 300])
  })
})
