import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inferenceResponse, readInferenceResponse } from '../../src/models/open-inference.ts'
import { encodeStrings, type Tensor } from '../../src/protocol/tensor.ts'
import { floatOfHalf, halfOfFloat } from '../../src/protocol/values/half-float.ts'

/** Every NaN is one NaN in JSON, so floats are drawn without odd ones. */
const tensors: fc.Arbitrary<Tensor> = fc.oneof(
  fc.bigInt64Array().map(array => tensorOf('int64', array)),
  fc.bigUint64Array().map(array => tensorOf('uint64', array)),
  fc.float32Array().map(array => tensorOf('float32', array)),
  fc.float64Array().map(array => tensorOf('float64', array)),
  fc.int16Array().map(array => tensorOf('int16', array)),
  fc.array(fc.string({ unit: 'grapheme' })).map(strings => ({ type: 'string', dims: [strings.length], data: encodeStrings(strings) }) as const)
)

function tensorOf(type: Tensor['type'], array: BigInt64Array | BigUint64Array | Float32Array | Float64Array | Int16Array): Tensor {
  return { type, dims: [array.length], data: new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice() }
}

test('every tensor survives the way through JSON and back, bit by bit', () => {
  fc.assert(
    fc.property(tensors, tensor => {
      const text = JSON.stringify(inferenceResponse({ y: tensor }, { model: 'm', version: '1', id: 'i' }))
      expect(readInferenceResponse(text).tensors.y).toEqual(tensor)
    })
  )
})

test('all half-precision numbers are what they were after a float and back', () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const value = floatOfHalf(bits)
    if (!Number.isNaN(value)) expect(halfOfFloat(value)).toBe(bits)
  }
})

test('a float goes to the nearest half, ties to even', () => {
  expect([1 + 2 ** -11, 1 + 3 * 2 ** -11, 65519, 65520, 2 ** -25, 2 ** -24 * 1.5, Number.NaN].map(halfOfFloat)).toEqual([
    0x3c00, 0x3c02, 0x7bff, 0x7c00, 0, 2, 0x7e00
  ])
})
