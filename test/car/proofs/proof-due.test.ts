import { describe, expect, test } from 'vitest'
import { type ProofPace, proofDueMs } from '../../../src/car/proofs/proof-due.ts'

/** A busy lease on a car with two workers: eight tasks under way, one of them waits for its proof since 1000. */
const busy: ProofPace = { waiting: 1, firstMs: 1000, gapMs: 3, open: 4, enough: 4, most: 8, cameMs: 999, provenMs: 990, costMs: 0.5 }

describe('the results of a lease are to be proven', () => {
  test('at once for a client with one task at a time', () => {
    expect(proofDueMs({ ...busy, open: 0, most: 1, cameMs: 1000, provenMs: 999.9 }, 1000)).toBe(1000)
  })

  test('at once when all that its client was seen to have under way waits, however soon after the last root', () => {
    expect(proofDueMs({ ...busy, waiting: 8, open: 0, cameMs: 1001, provenMs: 1001 }, 1001)).toBe(1001)
  })

  test('at once when four share the root, however much the car has to do', () => {
    expect(proofDueMs({ ...busy, waiting: 4, open: 100, most: 512 }, 1002)).toBe(1002)
    expect(proofDueMs({ ...busy, waiting: 3, open: 100, most: 512 }, 1002)).toBe(1040)
  })

  test('40 ms after the first of them while the car has enough to do', () => {
    expect(proofDueMs(busy, 1001)).toBe(1040)
    expect(proofDueMs({ ...busy, open: 100, most: 512 }, 1001)).toBe(1040)
  })

  test('at once where results are so far apart that none would join', () => {
    expect(proofDueMs({ ...busy, gapMs: 40 }, 1000)).toBe(1000)
    expect(proofDueMs({ ...busy, gapMs: 39 }, 1000)).toBe(1040)
  })

  test('when nothing has come for the time of six roots, if the car could do more', () => {
    expect(proofDueMs({ ...busy, waiting: 3, open: 3, cameMs: 1001 }, 1002)).toBe(1004)
    expect(proofDueMs({ ...busy, waiting: 3, open: 3, cameMs: 1001, costMs: 2 }, 1002)).toBe(1013)
  })

  test('no oftener than one in the time of six', () => {
    expect(proofDueMs({ ...busy, waiting: 2, open: 0, cameMs: 1000, provenMs: 1002 }, 1002)).toBe(1005)
  })

  test('after 40 ms at the latest, be the disk slow or new tasks many', () => {
    expect(proofDueMs({ ...busy, open: 0, cameMs: 1039 }, 1039)).toBe(1040)
    expect(proofDueMs({ ...busy, open: 0, costMs: 100 }, 1001)).toBe(1040)
  })
})
