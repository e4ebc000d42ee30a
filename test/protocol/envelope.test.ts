import { generateKeyPairFromSeed, publicKeyFromRaw } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { encodeCbor } from '../../src/protocol/cbor.ts'
import { openEnvelope, sealEnvelope } from '../../src/protocol/envelope.ts'
import { peerIdOfKey } from '../../src/protocol/ids.ts'
import { signerFromSeed } from '../../src/protocol/signer.ts'

const seed = new Uint8Array(32).fill(7)
const signer = signerFromSeed(seed)
const schema = z.strictObject({ v: z.literal(1), text: z.string() })
const options = { object: 'thing', schema, limit: 1024 }
const domain = 'motorpool/thing/1'
const value = { v: 1 as const, text: 'hello' }

describe('envelopes beside libp2p', () => {
  it('opens in RecordEnvelope', async () => {
    const envelope = await RecordEnvelope.openAndCertify(sealEnvelope(signer, 'thing', value), domain)
    expect(new Uint8Array(envelope.payload)).toEqual(encodeCbor(value))
    expect(new TextDecoder().decode(envelope.payloadType)).toBe(domain)
    expect(envelope.publicKey.equals(publicKeyFromRaw(signer.publicKey))).toBe(true)
  })

  it('has the very bytes of RecordEnvelope', async () => {
    const record = { domain, codec: new TextEncoder().encode(domain), marshal: () => encodeCbor(value), equals: () => false }
    const theirs = (await RecordEnvelope.seal(record, await generateKeyPairFromSeed('Ed25519', seed))).marshal()
    expect(new Uint8Array(theirs.subarray())).toEqual(sealEnvelope(signer, 'thing', value))
    expect(openEnvelope(theirs.subarray(), options)).toEqual({ value, publicKey: signer.publicKey })
  })

  it('derives the same keys, peer ids and signatures as @libp2p/crypto', async () => {
    const key = await generateKeyPairFromSeed('Ed25519', seed)
    expect(signer.publicKey).toEqual(new Uint8Array(key.publicKey.raw))
    expect(peerIdOfKey(signer.publicKey)).toBe(peerIdFromPrivateKey(key).toString())
    for (const length of [0, 1, 31, 300, 5000]) {
      const message = new Uint8Array(length).fill(length)
      expect(signer.sign(message)).toEqual(new Uint8Array(await key.sign(message)))
    }
  })
})
