import { expect, test } from 'vitest'
import { createBatchSizes } from '../../../src/inference/batch/batch-sizes.ts'

/** Runs with so many rows waiting each time, when a batch of `size` takes `timeOf(size)`; the sizes in their order. */
function run(timeOf: (size: number) => number, waiting: number, count: number): number[] {
  const sizes = createBatchSizes(16)
  return Array.from({ length: count }, () => {
    const size = sizes.next(waiting)
    sizes.record(size, timeOf(size))
    return size
  })
}

const share = (sizes: readonly number[], size: number): number => sizes.filter(other => other === size).length / sizes.length

test('grows while a row gets cheaper, and stays there', () => {
  const sizes = run(size => 100 + 10 * size, 99, 500)
  expect(sizes.slice(0, 13)).toEqual([1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8, 16])
  expect(share(sizes.slice(50), 16)).toBe(1)
})

test('does not batch a model whose rows cost the same together, but looks again now and then', () => {
  const sizes = run(size => 100 * size, 99, 2000)
  expect(share(sizes, 1)).toBeGreaterThan(0.98)
  expect(sizes.lastIndexOf(2)).toBeGreaterThan(64)
})

test('stops where it no longer pays', () => {
  const sizes = run(size => (size <= 4 ? 50 + 10 * size : 40 * size), 99, 500)
  expect(share(sizes.slice(50), 4)).toBeGreaterThan(0.95)
})

test('never asks for more than waits, nor beyond a limit', () => {
  expect(run(size => 100 + size, 3, 50).every(size => size <= 2)).toBe(true)
  const sizes = createBatchSizes(16)
  for (let count = 0; count < 50; count++) sizes.record(sizes.next(16), 100)
  expect(sizes.next(16)).toBe(16)
  sizes.limit(8)
  expect([sizes.next(16), sizes.next(5)]).toEqual([8, 4])
  sizes.limit(1)
  expect(sizes.next(16)).toBe(1)
})
