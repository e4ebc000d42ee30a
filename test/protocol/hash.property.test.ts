import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeCbor } from '../../src/protocol/cbor.ts'
import { tensorDigest, valueDigest } from '../../src/protocol/digest.ts'
import { fromHex, sha256, toHex } from '../../src/protocol/ids.ts'
import type { Value } from '../../src/protocol/tensor.ts'

const hash = (...parts: (string | Uint8Array)[]): Uint8Array => new Uint8Array(parts.reduce((sum, part) => sum.update(part), createHash('sha256')).digest())
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 70 }),
  fc
    .uint8Array({ minLength: 1, maxLength: 8 })
    .chain(few => fc.integer({ min: 1, max: 1200 }).map(times => Uint8Array.from({ length: few.length * times }, (_, at) => few[at % few.length] ?? 0)))
)

describe('sha256', () => {
  it('takes parts for one, however long they are', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 5 }), parts => {
        const before = parts.map(part => part.slice())
        expect(sha256(...parts)).toStrictEqual(hash(...parts))
        expect(parts).toEqual(before)
      }),
      { numRuns: 300 }
    )
  })

  it('gives bytes of its own', () => {
    const first = sha256(Uint8Array.of(1))
    const kept = first.slice()
    sha256(Uint8Array.of(2), Uint8Array.of(3))
    expect(first).toEqual(kept)
  })
})

describe('hex', () => {
  it('is that of Node, and reads back', () => {
    fc.assert(
      fc.property(bytes, value => {
        const hex = toHex(value)
        expect(hex).toBe(Buffer.from(value).toString('hex'))
        expect(fromHex(hex)).toStrictEqual(value)
      })
    )
  })

  it('ends where it is none, as that of Node', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0123456789abcdefAF xé'), maxLength: 140 }), text => {
        expect(fromHex(text)).toStrictEqual(new Uint8Array(Buffer.from(text, 'hex')))
      })
    )
  })
})

describe('digests', () => {
  const name = fc.string({ unit: 'grapheme', maxLength: 12 }).filter(text => text.isWellFormed() && !/^\uFEFF|^\/$|^__proto__$/.test(text))
  const parameter = fc.oneof(fc.constant(null), fc.boolean(), fc.maxSafeInteger(), name, fc.uint8Array({ maxLength: 90 }))
  const tensor = fc.record({ type: fc.constantFrom('float32' as const, 'uint8' as const), dims: fc.array(fc.nat(70_000), { maxLength: 5 }), data: bytes })
  const values: fc.Arbitrary<Value> = fc.record({
    kind: name,
    parameters: fc.dictionary(name, parameter, { maxKeys: 4, noNullPrototype: true }),
    tensors: fc.dictionary(name, tensor, { maxKeys: 3, noNullPrototype: true })
  })

  it('are over the library’s dag-cbor, whatever the value', () => {
    fc.assert(
      fc.property(values, value => {
        const digests = Object.entries(value.tensors)
          .sort(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right)))
          .map(([key, { type, dims, data }]) => [key, hash('motorpool/tensor/1', encodeCbor([type, dims]), data)])
        expect(valueDigest(value)).toEqual(hash('motorpool/value/1', encodeCbor([value.kind, value.parameters, digests])))
      }),
      { numRuns: 300 }
    )
  })

  it('are the same for a head too long for a shape', () => {
    const parameters = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`long ${at}`, 'x'.repeat(4096)]))
    expect(valueDigest({ kind: 'k', parameters, tensors: {} })).toEqual(hash('motorpool/value/1', encodeCbor(['k', parameters, []])))
    const dims = Array.from({ length: 30_000 }, () => 70_000)
    expect(tensorDigest({ type: 'uint8', dims, data: [] })).toEqual(hash('motorpool/tensor/1', encodeCbor(['uint8', dims])))
  })
})
