import * as dagCbor from '@ipld/dag-cbor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { decodeCbor, encodeCbor } from '../../src/protocol/cbor.ts'
import { expectRefused } from '../fixtures/wire/golden.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter(value => value.isWellFormed() && !value.startsWith('\uFEFF'))
const key = text.filter(name => name !== '__proto__' && name !== '/')
const { value: anyValue } = fc.letrec(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.integer(),
    text,
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(key, tie('value'), { maxKeys: 5, noNullPrototype: true })
  )
}))
const decode = (bytes: Uint8Array): unknown => decodeCbor(bytes, z.unknown(), 1 << 20)

describe('strict dag-cbor', () => {
  it('gives back what it was given, in the bytes of @ipld/dag-cbor', () => {
    fc.assert(
      fc.property(anyValue, value => {
        const bytes = encodeCbor(value)
        expect(decode(bytes)).toEqual(value)
        expect(bytes).toEqual(new Uint8Array(dagCbor.encode(value)))
      }),
      { numRuns: 300 }
    )
  })

  it('refuses every truncation and every trailing byte', () => {
    fc.assert(
      fc.property(anyValue, fc.nat(255), (value, extra) => {
        const bytes = encodeCbor(value)
        for (let length = 0; length < bytes.length; length++) expectRefused(() => decode(bytes.subarray(0, length)), 'ERR_BAD_ENCODING')
        expectRefused(() => decode(Uint8Array.from([...bytes, extra])), 'ERR_BAD_ENCODING')
      }),
      { numRuns: 60 }
    )
  })

  it('reads no value from two different encodings', () => {
    fc.assert(
      fc.property(anyValue, fc.nat(), fc.nat(7), (value, at, bit) => {
        const bytes = encodeCbor(value)
        const place = at % bytes.length
        bytes[place] = (bytes[place] ?? 0) ^ (1 << bit)
        let read: unknown
        try {
          read = decode(bytes)
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_BAD_ENCODING' })
          return
        }
        expect(encodeCbor(read)).toEqual(bytes)
      }),
      { numRuns: 500 }
    )
  })

  it('answers arbitrary bytes with a value or a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        try {
          decode(bytes)
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_BAD_ENCODING' })
        }
      }),
      { numRuns: 2000 }
    )
  })
})
