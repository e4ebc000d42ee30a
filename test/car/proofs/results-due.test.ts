import { expect, test } from 'vitest'
import { type ResultPace, resultsDueMs } from '../../../src/car/proofs/results-due.ts'

/** A busy lease on a car with two workers: eight tasks are here, one of them is done since 1000. */
const busy: ResultPace = { held: 1, heldBytes: 1000, heldMs: 1000, open: 7, enough: 4 }

test('a result goes at once when the workers have little else of its client', () => {
  expect(resultsDueMs({ ...busy, open: 0 }, 1000)).toBe(1000)
  expect(resultsDueMs({ ...busy, open: 3 }, 1000)).toBe(1000)
})

test('a result waits for others while the workers have enough', () => {
  expect(resultsDueMs(busy, 1001)).toBe(1060)
})

test('half of what a client has here goes back to it, and so does a megabyte', () => {
  expect(resultsDueMs({ ...busy, held: 4, open: 4 }, 1010)).toBe(1010)
  expect(resultsDueMs({ ...busy, heldBytes: 2 ** 20 }, 1001)).toBe(1001)
})
