import { CID } from 'multiformats/cid'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { decodeCbor, encodeCbor } from '../../src/protocol/cbor.ts'
import { controlSchema } from '../../src/protocol/control.ts'
import { cidOf, fromHex, toHex } from '../../src/protocol/ids.ts'
import { expectRefused } from '../fixtures/wire/golden.ts'

const decode = (hex: string): unknown => decodeCbor(fromHex(hex), z.unknown(), 1 << 20)
const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)])

describe('what is not strict dag-cbor', () => {
  it.each([
    ['a float', 'fb3ff8000000000000'],
    ['a float with a whole value', 'fb3ff0000000000000'],
    ['a half float', 'f93c00'],
    ['a single float', 'fa3f800000'],
    ['negative zero', 'fb8000000000000000'],
    ['a half float as long as its integer', 'f95cb0'],
    ['a float as long as its integer', 'fb4202a05f20000000'],
    ['undefined in a list', '82f601f7'],
    ['not a number', 'fb7ff8000000000000'],
    ['infinity', 'f97c00'],
    ['undefined', 'f7'],
    ['another simple value', 'f818'],
    ['an overlong integer', '1801'],
    ['an overlong length', '580101'],
    ['an integer of 2⁵³', '1b0020000000000000'],
    ['an integer of −2⁵³', '3b001fffffffffffff'],
    ['the largest 64-bit integer', '1bffffffffffffffff'],
    ['a list without an end', '9f01ff'],
    ['text in chunks', '7f616100ff'],
    ['unsorted keys', 'a2616201616101'],
    ['keys sorted by text, not length first', 'a262616101616201'],
    ['a repeated key', 'a2616101616102'],
    ['a digit after a letter', 'a2616101613901'],
    ['unsorted keys in a map within a sorted one', 'a26161a2616301616201616202'],
    ['unsorted keys after a map', 'a26162a0616101'],
    ['a list as a key', 'a18001'],
    ['a key that is a number', 'a10102'],
    ['the key __proto__', 'a1695f5f70726f746f5f5fa0'],
    ['the key /', 'a1612f01'],
    ['text that is not UTF-8', '62c328'],
    ['an encoded surrogate', '63eda080'],
    ['text cut off as long as what replaces it', '63f09f92'],
    ['a single wrong byte', '61ff'],
    ['two byte-order marks', '66efbbbfefbbbf'],
    ['a byte-order mark', '63efbbbf'],
    ['a tag', 'c11a514b67b0'],
    ['a CID', `d82a582500${toHex(CID.parse(cidOf(new Uint8Array())).bytes)}`],
    ['two values', '0101'],
    ['nothing', ''],
    ['a list that announces more than there is', '9affffffff'],
    ['bytes that announce more than there are', '5b00000000ffffffff']
  ])('refuses %s', (_, hex) => {
    expectRefused(() => decode(hex), 'ERR_BAD_ENCODING')
  })

  it.each([
    ['a float', 1.5],
    ['not a number', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['2⁵³', 2 ** 53],
    ['a bigint', 1n],
    ['undefined', undefined],
    ['an undefined field', { a: undefined }],
    ['a hole', new Array(2)],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['a lone surrogate', '\ud800'],
    ['a byte-order mark', '\uFEFFx'],
    ['a typed array of words', new Uint16Array(2)],
    ['a key of /', { '/': 1, bytes: 1 }],
    ['the key __proto__', JSON.parse('{"__proto__": 1}')],
    ['a CID', CID.parse(cidOf(new Uint8Array()))],
    ['deep nesting', nested(17)]
  ])('does not write %s', (_, value) => {
    expectRefused(() => encodeCbor(value), 'ERR_BAD_ENCODING')
  })

  it.each([
    ['the character that replaces others', '63efbfbd', '\uFFFD'],
    ['keys of digits and letters', 'a3613901616102623130a0', { 9: 1, a: 2, 10: {} }],
    ['keys after an empty map and list', 'a36161a061628061630f', { a: {}, b: [], c: 15 }]
  ])('reads %s', (_, hex, value) => {
    expect(decode(hex)).toEqual(value)
    expect(toHex(encodeCbor(value))).toBe(hex)
  })

  it('refuses a circle instead of following it', () => {
    const circle: unknown[] = []
    circle.push(circle)
    expectRefused(() => encodeCbor(circle), 'ERR_BAD_ENCODING')
  })

  it('refuses nesting of any depth without running out of stack', () => {
    for (const levels of [17, 1000, 60_000, 250_000]) expectRefused(() => decode(`${'81'.repeat(levels)}01`), 'ERR_BAD_ENCODING')
    expect(decode(`${'81'.repeat(16)}01`)).toEqual(nested(16))
  })

  it('looks at the size before anything else', () => {
    expectRefused(() => decodeCbor(new Uint8Array(1025), z.unknown(), 1024), 'ERR_TOO_LARGE')
    expect(decodeCbor(Uint8Array.of(1), z.unknown(), 1)).toBe(1)
  })

  it('names the field that does not fit, in one line whatever it is called', () => {
    expect(() => decodeCbor(encodeCbor({ type: 'decline', task: new Uint8Array(15) }), controlSchema, 1024)).toThrow(/field task .*16 bytes/)
    expectRefused(
      () => decodeCbor(encodeCbor({ type: 'decline', task: new Uint8Array(16), ['\n\u001b[31m'.repeat(99)]: 1 }), controlSchema, 4096),
      'ERR_SCHEMA'
    )
  })

  it('leaves prototypes alone', () => {
    expectRefused(() => decode('a1695f5f70726f746f5f5fa168706f6c6c7574656401'), 'ERR_BAD_ENCODING')
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
    expect(decode('a16b636f6e7374727563746f7201')).toEqual({ constructor: 1 })
  })
})
