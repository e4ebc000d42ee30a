import fc from 'fast-check'
import { expect, test } from 'vitest'
import { argmax } from '../../../src/inference/reduce/argmax.ts'
import { l2Normalize } from '../../../src/inference/reduce/l2-normalize.ts'
import { meanPool } from '../../../src/inference/reduce/mean-pool.ts'
import type { Numbers } from '../../../src/inference/reduce/numbers.ts'
import { softmax } from '../../../src/inference/reduce/softmax.ts'
import { topK } from '../../../src/inference/reduce/top-k.ts'

const float = fc.oneof(fc.float(), fc.constantFrom(0, -0, 1, 1, 2, Number.NaN, Number.POSITIVE_INFINITY))
const finite = fc.float({ min: -50, max: 50, noNaN: true })

/** [2 or so, rows, width] with few distinct values, so that ties and NaN are common. */
function numbersOf(element: fc.Arbitrary<number>, mostWidth = 50): fc.Arbitrary<Numbers> {
  return fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 4 }), fc.integer({ min: 1, max: mostWidth })).chain(([outer, rows, width]) => {
    const length = outer * rows * width
    return fc
      .array(element, { minLength: length, maxLength: length })
      .map(values => ({ type: 'float32' as const, dims: [outer, rows, width], values: Float32Array.from(values) }))
  })
}

function rowsOf({ values, dims }: Numbers): number[][] {
  const width = dims.at(-1) ?? 1
  return Array.from({ length: values.length / width }, (_, row) => [...values.subarray(row * width, (row + 1) * width)])
}

/** All indices of a row, greatest element first: NaN, then by value, then by place. */
function ranked(row: readonly number[]): number[] {
  const rank = (value: number): number => (Number.isNaN(value) ? Number.POSITIVE_INFINITY : value === Number.POSITIVE_INFINITY ? Number.MAX_VALUE : value)
  return row.map((_, index) => index).sort((left, right) => rank(row[right] ?? 0) - rank(row[left] ?? 0) || left - right)
}

const fround = (values: readonly number[]): number[] => values.map(Math.fround)

test('argmax is the first of the ranking', () => {
  fc.assert(
    fc.property(numbersOf(float), numbers => {
      const { dims, indices } = argmax('y', numbers)
      expect(dims).toEqual(numbers.dims.slice(0, -1))
      expect([...indices]).toEqual(rowsOf(numbers).map(row => ranked(row)[0]))
    })
  )
})

test('top-k is the head of the ranking, for few and for many', () => {
  fc.assert(
    fc.property(numbersOf(float), fc.nat(), (numbers, seed) => {
      const width = numbers.dims.at(-1) ?? 1
      const count = 1 + (seed % width)
      const { values, indices } = topK('y', numbers, count)
      const expected = rowsOf(numbers).map(row => ranked(row).slice(0, count))
      expect(values.dims).toEqual([...numbers.dims.slice(0, -1), count])
      expect([...indices]).toEqual(expected.flat())
      expect([...values.values]).toEqual(rowsOf(numbers).flatMap((row, at) => (expected[at] ?? []).map(index => row[index])))
    })
  )
})

test('softmax and l2-normalize are their formulas, row by row', () => {
  fc.assert(
    fc.property(numbersOf(finite), numbers => {
      const rows = rowsOf(numbers)
      const naive = rows.map(row => {
        const powers = row.map(value => Math.exp(value - Math.max(...row)))
        const sum = powers.reduce((total, power) => total + power, 0)
        return fround(powers.map(power => power / sum))
      })
      expect([...softmax('y', numbers).values]).toEqual(naive.flat())
      const unit = rows.map(row => {
        const norm = Math.max(Math.sqrt(row.reduce((total, value) => total + value ** 2, 0)), 1e-12)
        return fround(row.map(value => value / norm))
      })
      expect([...l2Normalize('y', numbers).values]).toEqual(unit.flat())
    })
  )
})

test('mean-pool is the mean of what the mask counts, and padding changes no bit of it', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.tuple(finite, finite), { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 }), fc.nat(5), (rows, padding) => {
      const tokens = Math.max(...rows.map(row => row.length)) + padding
      const values = new Float32Array(rows.length * tokens * 2).fill(7)
      const mask = new Int32Array(rows.length * tokens)
      rows.forEach((row, at) => {
        row.forEach((pair, token) => {
          values.set(pair, (at * tokens + token) * 2)
          mask[at * tokens + token] = 1
        })
      })
      const pooled = meanPool('y', { type: 'float32', dims: [rows.length, tokens, 2], values }, 'mask', {
        type: 'int32',
        dims: [rows.length, tokens],
        values: mask
      })
      expect(pooled.dims).toEqual([rows.length, 2])
      const mean = (row: readonly (readonly [number, number])[], at: 0 | 1): number => row.reduce((sum, pair) => sum + pair[at], 0) / row.length
      expect([...pooled.values].map(value => value + 0)).toEqual(rows.flatMap(row => fround([mean(row, 0), mean(row, 1)])).map(value => value + 0))
    })
  )
})

test('a row without tokens pools to zero, and a row of zeros stays one', () => {
  const none: Numbers = { type: 'int32', dims: [1, 2], values: Int32Array.of(0, 0) }
  const pooled = meanPool('y', { type: 'float32', dims: [1, 2, 3], values: new Float32Array(6).fill(1) }, 'mask', none)
  expect([...l2Normalize('y', pooled).values]).toEqual([0, 0, 0])
})
