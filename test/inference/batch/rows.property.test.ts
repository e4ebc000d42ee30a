import fc from 'fast-check'
import { expect, test } from 'vitest'
import { equalTensors, joinRows, rowsOfTask, splitRows } from '../../../src/inference/batch/rows.ts'
import type { Value } from '../../../src/protocol/tensor.ts'

const task = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(255)).map(
  ([rows, byte]): Value => ({
    kind: 'tensors',
    parameters: {},
    tensors: {
      a: { type: 'uint8', dims: [rows, 3], data: new Uint8Array(rows * 3).fill(byte) },
      b: { type: 'int64', dims: [rows], data: new Uint8Array(rows * 8).fill(byte + 1) }
    }
  })
)

test('what was joined splits into what it was', () => {
  fc.assert(
    fc.property(fc.array(task, { minLength: 1, maxLength: 6 }), tasks => {
      const joined = joinRows(tasks.map(({ tensors }) => tensors))
      const split = splitRows(
        joined,
        tasks.map(one => rowsOfTask(one)?.rows ?? 0)
      )
      expect(split?.map(tensors => Object.entries(tensors))).toEqual(tasks.map(({ tensors }) => Object.entries(tensors)))
      expect(split?.every((tensors, at) => equalTensors(tensors, tasks[at]?.tensors ?? {}))).toBe(true)
    })
  )
})

test('an output without a row for each that went in cannot be split', () => {
  expect(splitRows({ y: { type: 'uint8', dims: [2], data: new Uint8Array(2) } }, [1, 2])).toBeUndefined()
})

test('tasks are alike when all but their number of rows is equal', () => {
  const one = (dims: readonly number[], parameters: Value['parameters'] = {}): Value => ({
    kind: 'tensors',
    parameters,
    tensors: { x: { type: 'uint8', dims, data: new Uint8Array(dims.reduce((product, dim) => product * dim, 1)) } }
  })
  const key = (value: Value): string | undefined => rowsOfTask(value)?.key
  expect(key(one([1, 3]))).toBe(key(one([7, 3])))
  expect(key(one([1, 3]))).not.toBe(key(one([1, 4])))
  expect(key(one([1, 3]))).not.toBe(key(one([1, 3], { 'reduce.y': 'argmax' })))
  expect(key(one([0, 3]))).toBeUndefined()
})
