import { describe, expect, it } from 'vitest'
import { type Flush, openFlush, signFlush } from '../../src/ledger/flush.ts'
import { decodeLeaf, encodeLeaf, type Leaf, wholeMinute } from '../../src/ledger/leaf.ts'
import { encodeCbor } from '../../src/protocol/cbor.ts'
import { sealEnvelope } from '../../src/protocol/envelope.ts'
import { expectGolden, expectRefused } from '../fixtures/wire/golden.ts'
import { flush, flushHeader, leaf, signers, tokenLeaf } from '../fixtures/wire/samples.ts'

describe('a leaf', () => {
  it.each([
    ['whole result', leaf],
    ['part with tokens', tokenLeaf]
  ])('reads as it was written: %s', (_, value) => {
    expect(decodeLeaf(encodeLeaf(value))).toEqual(value)
  })

  it('takes about 290 bytes', () => {
    expect(encodeLeaf(leaf).length).toBeGreaterThan(250)
    expect(encodeLeaf(leaf).length).toBeLessThan(360)
  })

  it.each<[string, Partial<Record<keyof Leaf, unknown>>]>([
    ['a time that is no whole minute', { times: { ...leaf.times, at: leaf.times.at + 1 } }],
    ['a negative duration', { times: { ...leaf.times, ranUs: -1 } }],
    ['a figure for unknown energy', { energy: { marginalMj: 1, attributedMj: 0, by: 'unknown' } }],
    ['energy by a word of its own', { energy: { marginalMj: 1, attributedMj: 1, by: 'guessed' } }],
    ['attempt 0', { attempt: 0 }],
    ['no row', { together: 0 }],
    ['a short task id', { task: new Uint8Array(15) }],
    ['tokens that end before they begin', { tokens: { from: 2, to: 1, prev: new Uint8Array(32), end: new Uint8Array(32) } }],
    ['a currency in small letters', { price: { amount: 1, unit: 'eur' } }],
    ['an unknown unit of work', { units: { ...leaf.units, pages: 1 } }]
  ])('is refused with %s', (_, change) => {
    expectRefused(() => decodeLeaf(encodeCbor({ ...leaf, ...change })), 'ERR_SCHEMA')
    expectRefused(() => signFlush(signers.carAccount, flushHeader, [{ ...leaf, ...change } as Leaf]), 'ERR_SCHEMA')
  })

  it('is refused with an unknown key or without a field, and carries ext', () => {
    expectRefused(() => decodeLeaf(encodeCbor({ ...leaf, carbon: 1 })), 'ERR_SCHEMA')
    for (const field of Object.keys(leaf))
      expectRefused(() => decodeLeaf(encodeCbor(Object.fromEntries(Object.entries(leaf).filter(([name]) => name !== field)))), 'ERR_SCHEMA')
    expect(decodeLeaf(encodeLeaf(tokenLeaf)).ext).toEqual(tokenLeaf.ext)
  })

  it('tells the minute before', () => {
    expect([0, 59.9, 60, 1_800_000_059].map(wholeMinute)).toEqual([0, 0, 60, 1_800_000_000])
    for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY]) expectRefused(() => wholeMinute(wrong), 'ERR_INVALID_OPTION')
  })
})

describe('a flush', () => {
  it('opens as it was signed', () => {
    const { value, publicKey } = openFlush(flush.flush)
    expect(value).toMatchObject({ ...flushHeader, v: 1, size: 3 })
    expect(publicKey).toEqual(signers.carAccount.publicKey)
  })

  it('holds at least one leaf', () => {
    expectRefused(() => signFlush(signers.carAccount, flushHeader, []), 'ERR_SCHEMA')
  })

  it('is refused when signed by another account than its car, with unknown keys or versions, and cut off anywhere', () => {
    const { value } = openFlush(flush.flush)
    const seal = (change: Partial<Record<keyof Flush | 'extra', unknown>>): Uint8Array => sealEnvelope(signers.carAccount, 'flush', { ...value, ...change })
    expectRefused(() => openFlush(sealEnvelope(signers.clientAccount, 'flush', value)), 'ERR_BAD_SIGNATURE')
    for (const change of [{ extra: 1 }, { v: 2 }, { size: 0 }, { class: { ...value.class, vin: 'x' } }])
      expectRefused(() => openFlush(seal(change)), 'ERR_SCHEMA')
    expect(openFlush(seal({ ext: { later: 1 } })).value.ext).toEqual({ later: 1 })
    for (let length = 0; length < flush.flush.length; length++) expectRefused(() => openFlush(flush.flush.subarray(0, length)), 'ERR_BAD_ENCODING')
  })

  it('has the golden bytes', () => {
    expectGolden('ledger', {
      leaf: encodeLeaf(leaf),
      'leaf with tokens': encodeLeaf(tokenLeaf),
      flush: flush.flush,
      'path 1': Buffer.concat(flush.proofs[1]?.path ?? [])
    })
  })
})
