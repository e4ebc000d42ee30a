import { createHash } from 'node:crypto'
import * as dagCbor from '@ipld/dag-cbor'
import { describe, expect, it } from 'vitest'
import { saltedDigest, tensorDigest, tokensNext, tokensStart, valueDigest } from '../../src/protocol/digest.ts'
import { encodeStrings, type Tensor, type Value } from '../../src/protocol/tensor.ts'
import { expectGolden, expectRefused } from '../fixtures/wire/golden.ts'

const hash = (...parts: (string | Uint8Array)[]): Uint8Array => new Uint8Array(parts.reduce((sum, part) => sum.update(part), createHash('sha256')).digest())
const pixels: Tensor = { type: 'uint8', dims: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) }
const scalar: Tensor = { type: 'float32', dims: [], data: Uint8Array.of(0, 0, 128, 63) }
const words: Tensor = { type: 'string', dims: [2], data: encodeStrings(['é', '']) }
const value: Value = { kind: 'tensors', parameters: { seed: 7, text: 'x' }, tensors: { pixels, scalar, words } }
const salt = new Uint8Array(32).fill(5)

describe('digests', () => {
  it('are what trust.md says of a tensor and a value', () => {
    const digest = (tensor: Tensor): Uint8Array => hash('motorpool/tensor/1', dagCbor.encode([tensor.type, tensor.dims]), tensor.data)
    expect(tensorDigest(pixels)).toEqual(digest(pixels))
    const list = [
      ['pixels', digest(pixels)],
      ['scalar', digest(scalar)],
      ['words', digest(words)]
    ]
    expect(valueDigest(value)).toEqual(hash('motorpool/value/1', dagCbor.encode(['tensors', value.parameters, list])))
    expect(saltedDigest('input', salt, valueDigest(value))).toEqual(hash('motorpool/input/1', salt, valueDigest(value)))
    expect(saltedDigest('output', salt, valueDigest(value))).toEqual(hash('motorpool/output/1', salt, valueDigest(value)))
  })

  it('chain tokens as little-endian words', () => {
    const start = tokensStart(salt, valueDigest(value))
    expect(start).toEqual(hash('motorpool/tokens/1', salt, valueDigest(value)))
    expect(tokensNext(start, 0x01020304)).toEqual(hash(start, Uint8Array.of(4, 3, 2, 1)))
    expect(tokensNext(start, 0xffffffff)).toEqual(hash(start, Uint8Array.of(255, 255, 255, 255)))
  })

  it('sort names by their UTF-8 bytes, not by UTF-16 units or by length', () => {
    const names = ['\u{1F600}', '\uFF5E', 'b', 'aa']
    const tensors = Object.fromEntries(names.map(name => [name, scalar]))
    const list = ['aa', 'b', '\uFF5E', '\u{1F600}'].map(name => [name, tensorDigest(scalar)])
    expect(valueDigest({ kind: 'tensors', parameters: {}, tensors })).toEqual(hash('motorpool/value/1', dagCbor.encode(['tensors', {}, list])))
  })

  it('do not depend on how data was cut, nor on the order of names', () => {
    expect(tensorDigest({ ...pixels, data: [pixels.data.subarray(0, 1), new Uint8Array(), pixels.data.subarray(1)] })).toEqual(tensorDigest(pixels))
    expect(valueDigest({ ...value, tensors: { words, scalar, pixels } })).toEqual(valueDigest(value))
  })

  it('tell apart type, shape, name, kind and parameters', () => {
    const variants: Value[] = [
      value,
      { ...value, kind: 'ocr' },
      { ...value, parameters: { seed: 8, text: 'x' } },
      { ...value, parameters: { seed: '7', text: 'x' } },
      { ...value, tensors: { pixels: { ...pixels, dims: [3, 2] }, scalar, words } },
      { ...value, tensors: { pixels: { ...pixels, type: 'int8' }, scalar, words } },
      { ...value, tensors: { pixel: pixels, scalar, words } },
      { ...value, tensors: { pixels, scalar } }
    ]
    expect(new Set(variants.map(variant => Buffer.from(valueDigest(variant)).toString('hex'))).size).toBe(variants.length)
  })

  it('refuse a float as parameter', () => {
    expectRefused(() => valueDigest({ ...value, parameters: { temperature: 0.8 } }), 'ERR_BAD_ENCODING')
  })

  it('have the golden bytes', () => {
    const start = tokensStart(salt, valueDigest(value))
    expectGolden('digests', {
      'tensor pixels': tensorDigest(pixels),
      'tensor scalar': tensorDigest(scalar),
      'tensor words': tensorDigest(words),
      value: valueDigest(value),
      'value empty': valueDigest({ kind: 'ocr', parameters: {}, tensors: {} }),
      input: saltedDigest('input', salt, valueDigest(value)),
      output: saltedDigest('output', salt, valueDigest(value)),
      'tokens start': start,
      'tokens next 1': tokensNext(start, 1)
    })
  })
})
