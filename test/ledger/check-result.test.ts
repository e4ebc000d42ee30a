import { describe, expect, it } from 'vitest'
import { checkResult, createFlushCache, type ExpectedResult } from '../../src/ledger/check-result.ts'
import { signFlush } from '../../src/ledger/flush.ts'
import type { Leaf } from '../../src/ledger/leaf.ts'
import { expectRefused } from '../fixtures/wire/golden.ts'
import { flushHeader, leaf, lease, model, seed, signers, task } from '../fixtures/wire/samples.ts'

const terms = { perTask: 250, perItem: 10, per1kTokensIn: 100, per1kTokensOut: 400, unit: 'EUR' }
const expected: ExpectedResult = {
  car: signers.carAccount.publicKey,
  client: signers.clientAccount.publicKey,
  lease,
  model,
  task,
  attempt: 1,
  part: 0,
  input: leaf.input,
  output: leaf.output,
  price: terms
}

function proofs(leaves: readonly Leaf[], signer = signers.carAccount): { flush: Uint8Array; leaf: Uint8Array; index: number; path: Uint8Array[] }[] {
  const { flush, leaves: encoded, proofs } = signFlush(signer, flushHeader, leaves)
  return proofs.map(({ index, path }) => ({ flush, leaf: encoded[index] ?? new Uint8Array(), index, path: [...path] }))
}
const [proof] = proofs([leaf, { ...leaf, seq: 1, task: seed('other').subarray(0, 16) }])
if (proof === undefined) throw new RangeError('a flush has proofs')

describe('a result', () => {
  it('is accepted when everything fits', () => {
    expect(checkResult(proof, expected)).toMatchObject({ accepted: true, leaf, flush: { size: 2 } })
  })

  it.each<[string, Partial<ExpectedResult>, RegExp]>([
    ['car', { car: seed('other') }, /another account/],
    ['client', { client: seed('other') }, /another client/],
    ['lease', { lease: seed('other') }, /another lease/],
    ['model', { model: seed('other') }, /another model/],
    ['task', { task: seed('other').subarray(0, 16) }, /another task/],
    ['attempt', { attempt: 2 }, /attempt 1, not 2/],
    ['part', { part: 1 }, /part 0, not 1/],
    ['input', { input: seed('other') }, /another input/],
    ['output', { output: seed('other') }, /the output is not/],
    ['price', { price: { ...terms, perTask: 249 } }, /asks 260 EUR, .* 259 EUR/],
    ['currency', { price: { ...terms, unit: 'CHF' } }, /asks 260 EUR, .* 260 CHF/]
  ])('is refused, with the reason in words, for another %s', (_, change, reason) => {
    expect(checkResult(proof, { ...expected, ...change })).toEqual({ accepted: false, reason: expect.stringMatching(reason) })
  })

  it('is refused when any byte of what proves it flips, with and without a warm cache', () => {
    const cache = createFlushCache()
    checkResult(proof, expected, cache)
    for (const part of ['flush', 'leaf'] as const) {
      for (let at = 0; at < proof[part].length; at++) {
        const flipped = { ...proof, [part]: proof[part].map((byte, index) => (index === at ? byte ^ (1 << (at % 8)) : byte)) }
        if (checkResult(flipped, expected, cache).accepted || checkResult(flipped, expected).accepted) expect.fail(`byte ${at} of the ${part} may flip`)
      }
    }
    expect(checkResult({ ...proof, index: 1 }, expected, cache).accepted).toBe(false)
    expect(checkResult({ ...proof, path: [] }, expected, cache).accepted).toBe(false)
    expect(checkResult(proof, expected, cache).accepted).toBe(true)
  })

  it('is refused when another account signed the same leaf', () => {
    const [forged] = proofs([leaf], signers.carPeer)
    expect(forged && checkResult(forged, expected)).toMatchObject({ accepted: false })
  })

  it('costs one signature for all leaves of a flush', () => {
    const cache = createFlushCache()
    const many = proofs(Array.from({ length: 50 }, (_, seq) => ({ ...leaf, seq })))
    for (const one of many) expect(checkResult(one, expected, cache).accepted).toBe(true)
    expect(cache.size).toBe(1)
  })

  it('keeps a bounded number of flushes', () => {
    const cache = createFlushCache()
    for (let seq = 0; seq < 70; seq++) checkResult(proofs([{ ...leaf, seq }])[0] ?? proof, expected, cache)
    expect(cache.size).toBe(64)
  })

  it('lets mistakes of the program through as they are', () => {
    expect(() => checkResult({ ...proof, path: JSON.parse('null') }, expected)).toThrow(TypeError)
    expectRefused(() => signFlush(signers.carAccount, flushHeader, []), 'ERR_SCHEMA')
  })
})
