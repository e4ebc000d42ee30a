import { generateKeyPairFromSeed, publicKeyFromRaw } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { encodeCbor } from '../../src/protocol/cbor.ts'
import { openEnvelope, sealEnvelope } from '../../src/protocol/envelope.ts'
import { peerIdOfKey } from '../../src/protocol/ids.ts'
import { signerFromSeed } from '../../src/protocol/signer.ts'
import { expectRefused } from '../fixtures/wire/golden.ts'

const seed = new Uint8Array(32).fill(7)
const signer = signerFromSeed(seed)
const schema = z.strictObject({ v: z.literal(1), text: z.string() })
const options = { object: 'thing', schema, limit: 1024 }
const domain = 'motorpool/thing/1'
const value = { v: 1 as const, text: 'hello' }
const sealed = sealEnvelope(signer, 'thing', value)
const open = (bytes: Uint8Array): unknown => openEnvelope(bytes, options)

describe('envelopes beside libp2p', () => {
  it('open in RecordEnvelope', async () => {
    const envelope = await RecordEnvelope.openAndCertify(sealed, domain)
    expect(new Uint8Array(envelope.payload)).toEqual(encodeCbor(value))
    expect(new TextDecoder().decode(envelope.payloadType)).toBe(domain)
    expect(envelope.publicKey.equals(publicKeyFromRaw(signer.publicKey))).toBe(true)
  })

  it.each([5, 127, 128, 300, 850])('have the very bytes of RecordEnvelope, with %i bytes of text', async length => {
    const long = { ...value, text: 'x'.repeat(length) }
    const record = { domain, codec: new TextEncoder().encode(domain), marshal: () => encodeCbor(long), equals: () => false }
    const theirs = (await RecordEnvelope.seal(record, await generateKeyPairFromSeed('Ed25519', seed))).marshal()
    expect(new Uint8Array(theirs.subarray())).toEqual(sealEnvelope(signer, 'thing', long))
    expect(open(theirs.subarray())).toEqual({ value: long, publicKey: signer.publicKey })
  })

  it('come with the keys, peer ids and signatures of @libp2p/crypto', async () => {
    const key = await generateKeyPairFromSeed('Ed25519', seed)
    expect(signer.publicKey).toEqual(new Uint8Array(key.publicKey.raw))
    expect(peerIdOfKey(signer.publicKey)).toBe(peerIdFromPrivateKey(key).toString())
    for (const length of [0, 1, 31, 300, 5000]) {
      const message = new Uint8Array(length).fill(length)
      expect(signer.sign(message)).toEqual(new Uint8Array(await key.sign(message)))
    }
  })
})

describe('envelopes in another spelling', () => {
  const type = Buffer.from(domain)
  const payload = encodeCbor(value)
  const fields = {
    key: Buffer.concat([Uint8Array.of(0x0a, 36, 8, 1, 18, 32), signer.publicKey]),
    type: Buffer.concat([Uint8Array.of(0x12, type.length), type]),
    payload: Buffer.concat([Uint8Array.of(0x1a, payload.length), payload]),
    signature: Buffer.from(sealed.subarray(-66))
  }
  const { key, signature } = fields

  it('are not refused for being put together by hand', () => {
    expect(Buffer.concat([key, fields.type, fields.payload, signature]).equals(sealed)).toBe(true)
  })

  it.each([
    ['an unknown field', [key, fields.type, fields.payload, signature, Uint8Array.of(0x30, 1)]],
    ['an unknown field in front', [Uint8Array.of(0x30, 1), key, fields.type, fields.payload, signature]],
    ['a field that comes twice', [key, fields.type, fields.payload, signature, signature]],
    ['fields in another order', [key, fields.payload, fields.type, signature]],
    ['a missing field', [key, fields.type, signature]],
    ['no key', [fields.type, fields.payload, signature]],
    ['an overlong length', [key, Buffer.concat([Uint8Array.of(0x12, type.length | 0x80, 0), type]), fields.payload, signature]],
    ['a length of ten bytes', [key, Buffer.concat([Uint8Array.of(0x12, ...new Uint8Array(9).fill(0xff), 1), type]), fields.payload, signature]],
    ['a length beyond the end', [key, fields.type, Buffer.concat([Uint8Array.of(0x1a, 0xff, 0xff, 0xff, 0x7f), payload]), signature]],
    ['an overlong tag', [key, Buffer.concat([Uint8Array.of(0x92, 0, type.length), type]), fields.payload, signature]],
    ['a key of another type', [Buffer.concat([Uint8Array.of(0x0a, 36, 8, 2, 18, 32), signer.publicKey]), fields.type, fields.payload, signature]],
    ['a key without its type', [Buffer.concat([Uint8Array.of(0x0a, 34, 18, 32), signer.publicKey]), fields.type, fields.payload, signature]],
    ['a short signature', [key, fields.type, fields.payload, Buffer.concat([Uint8Array.of(0x2a, 63), signature.subarray(2, 65)])]],
    ['trailing bytes', [sealed, Uint8Array.of(0)]],
    ['nothing', []]
  ])('are refused: %s', (_, parts) => {
    expectRefused(() => open(Buffer.concat(parts)), 'ERR_BAD_ENCODING')
  })

  it('are refused above the limit before they are read', () => {
    expectRefused(() => openEnvelope(sealed, { ...options, limit: sealed.length - 1 }), 'ERR_TOO_LARGE')
    expect(openEnvelope(sealed, { ...options, limit: sealed.length }).value).toEqual(value)
  })

  it('are refused when their signature is right for another domain', async () => {
    expectRefused(() => open(sealEnvelope(signer, 'other', value)), 'ERR_BAD_SIGNATURE')
    const record = { domain: 'libp2p-peer-record', codec: type, marshal: () => payload, equals: () => false }
    const theirs = await RecordEnvelope.seal(record, await generateKeyPairFromSeed('Ed25519', seed))
    expectRefused(() => open(theirs.marshal().subarray()), 'ERR_BAD_SIGNATURE')
  })

  it('are refused under a key of small order', () => {
    const forged = Buffer.concat([
      Uint8Array.of(0x0a, 36, 8, 1, 18, 32, 1),
      new Uint8Array(31),
      fields.type,
      fields.payload,
      Uint8Array.of(0x2a, 64, 1),
      new Uint8Array(63)
    ])
    expectRefused(() => open(forged), 'ERR_BAD_SIGNATURE')
  })

  it('are read only after their signature: a signed payload that is no dag-cbor is named as such', () => {
    expectRefused(() => open(sealEnvelope(signer, 'thing', [1, 2])), 'ERR_SCHEMA')
  })
})
