import { expect, test } from 'vitest'
import { shapeOutputs } from '../../../src/inference/reduce/shape-outputs.ts'
import type { ParameterValue, Tensor } from '../../../src/protocol/tensor.ts'
import { readOutputPlan } from '../../../src/protocol/values/output-plan.ts'

const float32 = (dims: readonly number[], ...values: readonly number[]): Tensor => ({
  type: 'float32',
  dims,
  data: new Uint8Array(Float32Array.from(values).buffer)
})
const int64 = (dims: readonly number[], ...values: readonly bigint[]): Tensor => ({
  type: 'int64',
  dims,
  data: new Uint8Array(BigInt64Array.from(values).buffer)
})
const shape = (outputs: Record<string, Tensor>, parameters: Record<string, ParameterValue>, inputs: Record<string, Tensor> = {}) =>
  shapeOutputs(outputs, readOutputPlan(parameters), inputs)

const y = float32([2, 3], 1, 5, 2, 9, 0, 8)

test('without parameters outputs pass as they are', () => {
  const outputs = { y }
  expect(shape(outputs, { page: 1 })).toBe(outputs)
})

test('argmax and top-k give indices', () => {
  expect(shape({ y }, { 'reduce.y': 'argmax' })).toEqual({ y: int64([2], 1n, 0n) })
  expect(shape({ y }, { 'reduce.y': 'softmax argmax(int32)' })).toEqual({ y: { type: 'int32', dims: [2], data: new Uint8Array(Int32Array.of(1, 0).buffer) } })
  expect(shape({ y, z: y }, { outputs: 'y', 'reduce.y': 'top-k(2)' })).toEqual({
    'y.values': float32([2, 2], 5, 2, 9, 8),
    'y.indices': int64([2, 2], 1n, 2n, 0n, 2n)
  })
})

test('pools with the named input and normalizes, and narrows what travels', () => {
  const hidden = float32([1, 2, 2], 3, 4, 100, 100)
  const inputs = { mask: int64([1, 2], 1n, 0n) }
  const parameters = { 'reduce.hidden': 'mean-pool(mask) l2-normalize' }
  expect(shape({ hidden }, parameters, inputs)).toEqual({ hidden: float32([1, 2], 0.6, 0.8) })
  expect(shape({ hidden }, { ...parameters, travel: 'float16' }, inputs)).toEqual({
    hidden: { type: 'float16', dims: [1, 2], data: new Uint8Array(Uint16Array.of(0x38cd, 0x3a66).buffer) }
  })
})

test('reduces unaligned bytes as well', () => {
  const data = Buffer.concat([Uint8Array.of(0), y.data]).subarray(1)
  expect(shape({ y: { ...y, data } }, { 'reduce.y': 'argmax' })).toEqual({ y: int64([2], 1n, 0n) })
})

test.each([
  ['a scalar', { y: float32([], 1) }, 'argmax', 'without a last axis'],
  ['an empty axis', { y: float32([2, 0]) }, 'softmax', 'without a last axis'],
  ['too short a row', { y }, 'top-k(4)', 'ask for at most 3'],
  ['text', { y: { type: 'string' as const, dims: [0], data: new Uint8Array(0) } }, 'argmax', 'cannot be reduced'],
  ['integers', { y: { ...y, type: 'int32' as const } }, 'softmax', 'only float outputs'],
  ['a flat output', { y }, 'mean-pool(mask)', 'mean-pool needs'],
  ['a taken name', { y, 'y.values': y }, 'top-k(1)', 'is there already']
])('refuses %s', (_what, outputs, steps, message) => {
  const refused = (): unknown => shape(outputs, { 'reduce.y': steps }, { mask: int64([2, 3], 1n, 1n, 1n, 1n, 1n, 1n) })
  expect(refused).toThrow(message)
  expect(refused).toThrow(expect.objectContaining({ code: 'ERR_INVALID_INPUT' }))
})
