import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BACK_OFF, nextRetry } from '../../src/vehicle/back-off.ts'

test('waits double up to the most, in the upper half of their range', () => {
  const waits = Array.from({ length: 10 }, (_, failures) => [nextRetry(failures, 0, 0).delayMs, nextRetry(failures, 0, 1).delayMs])
  expect(waits.slice(0, 4)).toEqual([
    [125, 250],
    [250, 500],
    [500, 1000],
    [1000, 2000]
  ])
  expect(waits.at(-1)).toEqual([15_000, 30_000])
})

test('a connection that held makes the next wait short; one that ended at once does not', () => {
  expect(nextRetry(7, BACK_OFF.soundMs, 1)).toEqual({ failures: 1, delayMs: 250 })
  expect(nextRetry(7, BACK_OFF.soundMs - 1, 1)).toEqual({ failures: 8, delayMs: 30_000 })
})

test('no wait is ever shorter than half the first or longer than the most', () => {
  fc.assert(
    fc.property(fc.nat(1e9), fc.nat(1e9), fc.double({ min: 0, max: 1, noNaN: true }), (failures, livedMs, random) => {
      const { delayMs } = nextRetry(failures, livedMs, random)
      return delayMs >= BACK_OFF.firstMs / 2 && delayMs <= BACK_OFF.mostMs
    })
  )
})
