import { describe, expect, it } from 'vitest'
import { createAnnouncementGate } from '../../src/placement/announcement-gate.ts'
import { openHeardAnnouncement } from '../../src/placement/open-gossip.ts'
import { shardTopic } from '../../src/placement/shards.ts'
import { sealEnvelope } from '../../src/protocol/envelope.ts'
import { cidOf, cidToBytes, peerIdOfKey, peerIdToBytes } from '../../src/protocol/ids.ts'
import { LIMITS } from '../../src/protocol/limits.ts'
import { signerFromSeed } from '../../src/protocol/signer.ts'

const model = cidOf(Uint8Array.of(1))
const topic = shardTopic(model, '')
const client = signerFromSeed(new Uint8Array(32).fill(1))
const nowSeconds = 1_800_000_000

const announcement = (changes: Record<string, unknown> = {}) => ({
  v: 1,
  bits: '',
  task: new Uint8Array(16),
  model: cidToBytes(model),
  tasks: 1,
  inputBucket: 0,
  outputBucket: 0,
  lengthBucket: null,
  deadlineSeconds: 60,
  ceiling: 2 ** 40,
  unit: 'EUR',
  verification: 'blocks',
  round: 0,
  theta: 2 ** 32,
  client: peerIdToBytes(peerIdOfKey(client.publicKey)),
  addresses: [new Uint8Array(28), new Uint8Array(28)],
  issued: nowSeconds,
  expires: nowSeconds + 30,
  ...changes
})
const gate = () => createAnnouncementGate(() => nowSeconds * 1000)
const seal = (changes?: Record<string, unknown>, signer = client, object = 'announcement') => sealEnvelope(signer, object, announcement(changes))

describe('the announcement gate', () => {
  it('leaves what it let through opened, and refuses a forgery each time', () => {
    const good = seal()
    expect(gate()(topic, good)).toBe('accept')
    expect(openHeardAnnouncement(good)).toBe(openHeardAnnouncement(good))
    const forged = Uint8Array.from(good)
    forged[forged.length - 1]! ^= 1
    for (const time of [1, 2]) {
      expect(gate()(topic, forged), `time ${time}`).toBe('reject')
      expect(() => openHeardAnnouncement(forged)).toThrow('signature')
    }
  })

  it('lets an honest announcement through, which fits its limit with two IPv6 addresses', () => {
    expect(seal().byteLength).toBeLessThanOrEqual(LIMITS.announcement)
    expect(gate()(topic, seal())).toBe('accept')
  })

  it('refuses forged, foreign and misplaced ones', () => {
    const other = signerFromSeed(new Uint8Array(32).fill(2))
    const judge = gate()
    expect(judge(topic, seal({}, other))).toBe('reject')
    expect(judge(topic, seal({}, client, 'offer'))).toBe('reject')
    expect(judge(shardTopic(model, '0'), seal())).toBe('reject')
    expect(judge(topic, seal({ inputDigest: new Uint8Array(32) }))).toBe('reject')
    expect(judge(topic, new Uint8Array(0))).toBe('reject')
    expect(judge(topic, new Uint8Array(LIMITS.announcement + 1))).toBe('reject')
    const flipped = seal()
    for (let at = 0; at < flipped.length; at++) {
      const copy = new Uint8Array(flipped)
      copy[at] = (copy[at] ?? 0) ^ 1
      expect(judge(topic, copy), `byte ${at}`).toBe('reject')
    }
  })

  it('passes over what is expired or from the future, beyond two minutes of skew', () => {
    const judge = gate()
    expect(judge(topic, seal({ issued: nowSeconds - 1000, expires: nowSeconds - 121 }))).toBe('ignore')
    expect(judge(topic, seal({ issued: nowSeconds - 1000, expires: nowSeconds - 119 }))).toBe('accept')
    expect(judge(topic, seal({ issued: nowSeconds + 121, expires: nowSeconds + 200 }))).toBe('ignore')
  })

  it('hears no more than its share from one sender, and others all the same', () => {
    const judge = gate()
    const verdicts = Array.from({ length: 100 }, (_, round) => judge(topic, seal({ round: round % 32 })))
    expect(verdicts.filter(verdict => verdict === 'accept')).toHaveLength(20)
    const other = signerFromSeed(new Uint8Array(32).fill(2))
    expect(judge(topic, seal({ client: peerIdToBytes(peerIdOfKey(other.publicKey)) }, other))).toBe('accept')
  })
})
