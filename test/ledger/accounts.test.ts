import { hkdfSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { checkBinding, sealBinding } from '../../src/ledger/binding.ts'
import { carAccountSigner } from '../../src/ledger/car-account.ts'
import { priceOf } from '../../src/ledger/price.ts'
import { sealEnvelope } from '../../src/protocol/envelope.ts'
import { toHex } from '../../src/protocol/ids.ts'
import { signerFromSeed } from '../../src/protocol/signer.ts'
import { expectGolden, expectRefused } from '../fixtures/wire/golden.ts'
import { binding, carPeer, clientPeer, nonce, seed, signers } from '../fixtures/wire/samples.ts'

const client = signers.clientAccount.publicKey
const nowSeconds = 1_800_000_000

describe('a car account', () => {
  it('is HKDF of the device seed, the client and the index', () => {
    const info = Buffer.concat([Buffer.from('motorpool/car-account/1'), Uint8Array.of(0, 0, 1, 2)])
    const expected = signerFromSeed(new Uint8Array(hkdfSync('sha256', seed('device'), client, info, 32)))
    expect(carAccountSigner(seed('device'), client, 258).publicKey).toEqual(expected.publicKey)
  })

  it('is another for each device, client and index', () => {
    const accounts = [0, 1, 2].flatMap(index =>
      ['a', 'b'].flatMap(device => ['x', 'y'].map(name => toHex(carAccountSigner(seed(device), seed(name), index).publicKey)))
    )
    expect(new Set(accounts).size).toBe(12)
  })

  it('has the golden keys', () => {
    expectGolden(
      'accounts',
      Object.fromEntries([0, 1, 2 ** 32 - 1].map(index => [`index ${index}`, carAccountSigner(seed('device'), client, index).publicKey]))
    )
  })

  it('needs whole keys', () => {
    expectRefused(() => carAccountSigner(new Uint8Array(31), client, 0), 'ERR_ACCOUNT_KEY')
    expectRefused(() => carAccountSigner(seed('device'), new Uint8Array(33), 0), 'ERR_ACCOUNT_KEY')
  })
})

describe('a binding', () => {
  const terms = { peer: carPeer, client, nonce, expires: nowSeconds + 3600 }
  const expected = { peer: carPeer, client, nonce, nowSeconds }
  const sealed = sealBinding(signers.carAccount, terms)

  it('is accepted for its peer, client and nonce', () => {
    expect(checkBinding(sealed, expected)).toMatchObject({ accepted: true, account: signers.carAccount.publicKey })
  })

  it.each([
    ['another peer', { peer: clientPeer }, /another peer/],
    ['another client', { client: seed('other') }, /another client/],
    ['another nonce', { nonce: seed('other') }, /another hello/],
    ['a time after its end', { nowSeconds: nowSeconds + 3600 + 121 }, /expired/],
    ['a time more than 24 hours before its end', { nowSeconds: nowSeconds - 86_400 }, /24 hours/]
  ])('is refused for %s', (_, change, reason) => {
    expect(checkBinding(sealed, { ...expected, ...change })).toEqual({ accepted: false, reason: expect.stringMatching(reason) })
  })

  it('lasts a clock skew longer, and no more', () => {
    expect(checkBinding(sealed, { ...expected, nowSeconds: nowSeconds + 3600 + 120 }).accepted).toBe(true)
    const longest = sealBinding(signers.carAccount, { ...terms, expires: nowSeconds + 86_400 + 120 })
    expect(checkBinding(longest, expected).accepted).toBe(true)
    expect(checkBinding(longest, { ...expected, nowSeconds: nowSeconds - 1 }).accepted).toBe(false)
  })

  it('is refused when another account signed it or a byte flipped', () => {
    expect(checkBinding(sealEnvelope(signers.clientAccount, 'binding', binding), expected).accepted).toBe(false)
    for (let at = 0; at < sealed.length; at++)
      expect(
        checkBinding(
          sealed.map((byte, index) => (index === at ? byte ^ 1 : byte)),
          expected
        ).accepted
      ).toBe(false)
  })
})

describe('a price', () => {
  const terms = { perTask: 250, perItem: 10, per1kTokensIn: 100, per1kTokensOut: 400, unit: 'EUR' }

  it('adds up tasks, items and tokens, rounding down once', () => {
    expect(priceOf(terms, { items: 0, tokensIn: 0, tokensOut: 0 })).toEqual({ amount: 250, unit: 'EUR' })
    expect(priceOf(terms, { items: 3, tokensIn: 5, tokensOut: 0 })).toEqual({ amount: 280, unit: 'EUR' })
    expect(priceOf(terms, { items: 0, tokensIn: 9, tokensOut: 1 })).toEqual({ amount: 251, unit: 'EUR' })
    expect(priceOf(terms, { items: 0, tokensIn: 2000, tokensOut: 500 })).toEqual({ amount: 650, unit: 'EUR' })
  })

  it('is exact up to 2⁵³ and refused above', () => {
    const most = Number.MAX_SAFE_INTEGER
    expect(priceOf({ ...terms, perTask: 0, per1kTokensIn: 1000 }, { items: 0, tokensIn: most, tokensOut: 0 }).amount).toBe(most)
    expectRefused(() => priceOf({ ...terms, per1kTokensIn: most }, { items: 0, tokensIn: most, tokensOut: 0 }), 'ERR_TOO_LARGE')
  })
})
