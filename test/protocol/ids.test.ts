import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 as sha2 } from 'multiformats/hashes/sha2'
import { describe, expect, it } from 'vitest'
import {
  cidFromBytes,
  cidOf,
  cidToBytes,
  equalBytes,
  fromHex,
  keyOfPeerId,
  peerIdFromBytes,
  peerIdOfKey,
  peerIdToBytes,
  sha256,
  toHex
} from '../../src/protocol/ids.ts'
import { signerFromSeed } from '../../src/protocol/signer.ts'
import { expectRefused } from '../fixtures/wire/golden.ts'

const bytes = new TextEncoder().encode('motorpool')

describe('CIDs', () => {
  it('equal those of multiformats', async () => {
    const theirs = CID.createV1(raw.code, await sha2.digest(bytes))
    expect(cidOf(bytes)).toBe(theirs.toString())
    expect(cidToBytes(cidOf(bytes))).toEqual(theirs.bytes)
    expect(cidFromBytes(theirs.bytes)).toBe(theirs.toString())
  })

  it('have one text and one byte form', () => {
    const cid = cidOf(bytes)
    const text = [
      cid.toUpperCase(),
      cid.slice(1),
      `${cid}a`,
      cid.slice(0, -1),
      `z${cid.slice(1)}`,
      'bafy',
      '',
      'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG'
    ]
    for (const wrong of text) expectRefused(() => cidToBytes(wrong), 'ERR_SCHEMA')
    const form = cidToBytes(cid)
    for (const wrong of [form.subarray(1), new Uint8Array(36), Buffer.concat([form, form]), new Uint8Array()])
      expectRefused(() => cidFromBytes(wrong), 'ERR_SCHEMA')
  })
})

describe('peer ids', () => {
  it('carry the key', () => {
    const { publicKey } = signerFromSeed(sha256(bytes))
    const peer = peerIdOfKey(publicKey)
    expect(peer).toMatch(/^12D3Koo/)
    expect(keyOfPeerId(peer)).toEqual(publicKey)
    expect(peerIdFromBytes(peerIdToBytes(peer))).toBe(peer)
  })

  it('are refused unless they are those of Ed25519 keys', () => {
    for (const wrong of ['', '12D3Koo', 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG', '0OIl', `1${peerIdOfKey(sha256(bytes))}`])
      expectRefused(() => keyOfPeerId(wrong), 'ERR_SCHEMA')
    for (const length of [0, 31, 33]) expectRefused(() => peerIdOfKey(new Uint8Array(length)), 'ERR_SCHEMA')
  })
})

describe('bytes', () => {
  it('go to hex and back', () => {
    expect(fromHex(toHex(bytes))).toEqual(bytes)
    expect(equalBytes(fromHex(toHex(bytes)), bytes)).toBe(true)
    expect(equalBytes(bytes, bytes.subarray(1))).toBe(false)
  })

  it('hash in parts as in one', () => {
    expect(sha256(bytes.subarray(0, 3), new Uint8Array(), bytes.subarray(3))).toEqual(sha256(bytes))
    expect(toHex(sha256())).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  })
})
