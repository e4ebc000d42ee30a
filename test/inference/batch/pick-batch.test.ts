import { expect, test } from 'vitest'
import { type BatchSizes, createBatchSizes } from '../../../src/inference/batch/batch-sizes.ts'
import { pickBatch, type Waiting } from '../../../src/inference/batch/pick-batch.ts'

const task = (key: string | undefined, { rows = 1, byteLength = 10, deadlineMs = 1e6 } = {}): Waiting => ({
  rows: key === undefined ? undefined : { key, rows },
  byteLength,
  deadlineMs
})

/** Sizes of a model of which 8 rows take hardly longer than one: 10 ms. */
function eager(): BatchSizes {
  const sizes = createBatchSizes(8)
  for (let count = 0; count < 30; count++) sizes.record(sizes.next(8), 10_000)
  return sizes
}

function pick(waiting: readonly Waiting[], byteLimit = 1000): number[] {
  const sizes = eager()
  return pickBatch(waiting, () => sizes, byteLimit, 0).map(one => waiting.indexOf(one))
}

test('takes the first and those like it, past others, in their order', () => {
  expect(pick([task('a'), task('b'), task('a'), task(undefined), task('a'), task('a')])).toEqual([0, 2, 4, 5])
})

test('what must run alone runs alone, and so does what waits alone', () => {
  expect(pick([task(undefined), task('a'), task('a')])).toEqual([0])
  expect(pick([task('a'), task('b')])).toEqual([0])
  expect(pick([])).toEqual([])
})

test('counts rows, not tasks, and keeps to the limit of bytes', () => {
  expect(pick([task('a'), task('a', { rows: 3 }), task('a', { rows: 7 }), task('a', { rows: 4 })])).toEqual([0, 1, 3])
  expect(pick([task('a', { byteLength: 600 }), task('a', { byteLength: 600 }), task('a', { byteLength: 100 }), task('a')])).toEqual([0, 2, 3])
})

test('company never costs a task its deadline', () => {
  expect(pick([task('a', { deadlineMs: 15 }), task('a'), task('a')])).toEqual([0])
  expect(pick([task('a'), task('a', { deadlineMs: 5 }), task('a')])).toEqual([0, 2])
})
