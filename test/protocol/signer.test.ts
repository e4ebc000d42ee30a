import { describe, expect, it } from 'vitest'
import { fromHex } from '../../src/protocol/ids.ts'
import { isUsablePublicKey, signerFromSeed, verifySignature } from '../../src/protocol/signer.ts'
import { expectRefused } from '../fixtures/wire/golden.ts'

const message = new TextEncoder().encode('message')
const signer = signerFromSeed(new Uint8Array(32).fill(3))
const FIELD_PRIME = 2n ** 255n - 19n
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n
const encode = (value: bigint): Uint8Array => fromHex(value.toString(16).padStart(64, '0')).reverse()
const decode = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)

describe('Ed25519', () => {
  it('gives the keys and signatures of RFC 8032 §7.1', () => {
    const vector = signerFromSeed(fromHex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'))
    expect(vector.publicKey).toEqual(fromHex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c'))
    const signature = fromHex(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'
    )
    expect(vector.sign(Uint8Array.of(0x72))).toEqual(signature)
    expect(verifySignature(vector.publicKey, Uint8Array.of(0x72), signature)).toBe(true)
  })

  it('refuses a seed of another length', () => {
    for (const length of [0, 31, 33, 64]) expectRefused(() => signerFromSeed(new Uint8Array(length)), 'ERR_ACCOUNT_KEY')
  })

  it('refuses keys and signatures of another length', () => {
    const signature = signer.sign(message)
    expect(verifySignature(signer.publicKey, message, signature)).toBe(true)
    for (const length of [0, 63, 65]) expect(verifySignature(signer.publicKey, message, new Uint8Array(length))).toBe(false)
    for (const length of [0, 31, 33]) expect(verifySignature(new Uint8Array(length).fill(7), message, signature)).toBe(false)
  })

  it('refuses the eight points of small order, with either sign and in every encoding', () => {
    const order8 = decode(fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'))
    for (const y of [0n, 1n, order8, FIELD_PRIME - order8, FIELD_PRIME - 1n, FIELD_PRIME, FIELD_PRIME + 1n]) {
      for (const sign of [0n, 2n ** 255n]) expect(isUsablePublicKey(encode(y + sign))).toBe(false)
    }
  })

  it('refuses the signature that solves the equation for every message under the neutral point', () => {
    const key = encode(1n)
    const forged = Buffer.concat([encode(1n), encode(0n)])
    expect(verifySignature(key, message, forged)).toBe(false)
  })

  it('refuses keys whose y is not below the field prime', () => {
    for (let y = FIELD_PRIME; y < 2n ** 255n; y++) {
      for (const sign of [0n, 2n ** 255n]) expect(isUsablePublicKey(encode(y + sign))).toBe(false)
    }
    expect(isUsablePublicKey(signer.publicKey)).toBe(true)
  })

  it('refuses a signature whose S was raised by the group order', () => {
    const signature = signer.sign(message)
    const raised = encode(decode(signature.subarray(32)) + GROUP_ORDER)
    expect(verifySignature(signer.publicKey, message, Buffer.concat([signature.subarray(0, 32), raised]))).toBe(false)
    expect(verifySignature(signer.publicKey, message, Buffer.concat([signature.subarray(0, 32), encode(GROUP_ORDER)]))).toBe(false)
  })

  it('refuses a key that is no point, and goes on', () => {
    expect(verifySignature(encode(2n), message, signer.sign(message))).toBe(false)
    expect(verifySignature(signer.publicKey, message, signer.sign(message))).toBe(true)
  })

  it('still knows a key after more others than it remembers', () => {
    const signature = signer.sign(message)
    for (let n = 0; n < 1100; n++) verifySignature(encode(BigInt(n + 5)), message, signature)
    expect(verifySignature(signer.publicKey, message, signature)).toBe(true)
  })
})
