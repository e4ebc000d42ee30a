import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { MotorpoolError } from './errors.ts'
import { fromHex, toHex } from './ids.ts'
import { forgetOldest } from './limits.ts'

/** Signs with one Ed25519 key that it keeps to itself. */
export interface Signer {
  /** The raw public key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** An Ed25519 signature (RFC 8032), 64 bytes. */
  sign: (message: Uint8Array) => Uint8Array
}

/** Where time comes from, so that steps run under a virtual clock. */
export interface Clock {
  /** Milliseconds that only rise; for durations. */
  readonly monotonicMs: () => number
  /** Milliseconds since 1970 UTC; for what is signed. */
  readonly unixMs: () => number
}

/** DER around a raw Ed25519 key (RFC 8410 §4 and §7). */
const SPKI_HEAD = fromHex('302a300506032b6570032100')
const PKCS8_HEAD = fromHex('302e020100300506032b657004220420')

/** The field prime 2²⁵⁵ − 19 and the group order 2²⁵² + 27742317777372353535851937790883648493 (RFC 8032 §5.1), little-endian. */
const FIELD_PRIME = fromHex('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f')
const GROUP_ORDER = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')

/**
 * Every encoding of the eight points of small order, sign bit cleared, as libsodium's `ge25519_has_small_order` lists them:
 * a signature under such a key fits any message.
 */
const SMALL_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'
])

/** A peer talks to few others at a time, and making a KeyObject costs a tenth of a verification. */
const MOST_CACHED_KEYS = 1024
const cachedKeys = new Map<string, KeyObject>()

/** A signer from 32 secret bytes (RFC 8032's private key). Throws `ERR_ACCOUNT_KEY` for another length. */
export function signerFromSeed(seed: Uint8Array): Signer {
  if (seed.byteLength !== 32) throw new MotorpoolError('ERR_ACCOUNT_KEY', `a key seed has ${seed.byteLength} bytes; give 32`)
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' })
  const publicKey = new Uint8Array(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(SPKI_HEAD.length))
  return { publicKey, sign: message => new Uint8Array(sign(null, message, privateKey)) }
}

/**
 * Whether `signature` is this key's Ed25519 signature of `message`. False for keys of small order or in a non-canonical
 * encoding and for signatures whose S is not below the group order, so that a signature has one form only.
 */
export function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.byteLength !== 64 || !isBelow(signature.subarray(32), GROUP_ORDER)) return false
  const key = usableKey(publicKey)
  return key !== undefined && verify(null, message, key, signature)
}

/** Whether a raw public key may sign for Motorpool: 32 bytes, canonical, not of small order. */
export function isUsablePublicKey(publicKey: Uint8Array): boolean {
  if (publicKey.byteLength !== 32) return false
  const unsigned = Buffer.from(publicKey)
  unsigned.writeUInt8(unsigned.readUInt8(31) & 0x7f, 31)
  return isBelow(unsigned, FIELD_PRIME) && !SMALL_ORDER.has(unsigned.toString('hex'))
}

function usableKey(publicKey: Uint8Array): KeyObject | undefined {
  const name = toHex(publicKey)
  const cached = cachedKeys.get(name)
  if (cached !== undefined) {
    cachedKeys.delete(name)
    cachedKeys.set(name, cached)
    return cached
  }
  if (!isUsablePublicKey(publicKey)) return undefined
  const key = createPublicKey({ key: Buffer.concat([SPKI_HEAD, publicKey]), format: 'der', type: 'spki' })
  cachedKeys.set(name, key)
  forgetOldest(cachedKeys, MOST_CACHED_KEYS)
  return key
}

/** Compares little-endian numbers of equal length. */
function isBelow(left: Uint8Array, right: Uint8Array): boolean {
  for (let at = right.length - 1; at >= 0; at--) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}
