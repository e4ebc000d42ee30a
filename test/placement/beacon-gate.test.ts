import { describe, expect, it } from 'vitest'
import { createShardGate } from '../../src/placement/shard-gate.ts'
import { shardBits, shardTopic } from '../../src/placement/shards.ts'
import { sealEnvelope } from '../../src/protocol/envelope.ts'
import { cidOf, cidToBytes, peerIdOfKey, peerIdToBytes } from '../../src/protocol/ids.ts'
import { type Signer, signerFromSeed } from '../../src/protocol/signer.ts'

const model = cidOf(Uint8Array.of(1))
const nowSeconds = 1_800_000_000
const carOf = (index: number): Signer => signerFromSeed(new Uint8Array(32).fill(index))
const car = carOf(1)
const beacon = (changes: Record<string, unknown> = {}) => ({
  v: 1,
  model: cidToBytes(model),
  shard: 3,
  leaf: 3,
  away: false,
  addresses: [],
  issued: nowSeconds,
  ...changes
})
const topicOf = (signer: Signer, depth: number): string => shardTopic(model, shardBits(peerIdToBytes(peerIdOfKey(signer.publicKey)), depth))
const seal = (changes?: Record<string, unknown>, signer = car) => sealEnvelope(signer, 'beacon', beacon(changes))

describe('the gate of a shard topic', () => {
  it('lets beacons of cars through whose hash begins with the prefix of the shard', () => {
    const judge = createShardGate(() => nowSeconds * 1000)
    expect(judge(topicOf(car, 3), seal())).toBe('accept')
    expect(judge(topicOf(car, 3), seal({ leaf: 4 }))).toBe('accept')
    expect(judge(topicOf(car, 2), seal())).toBe('reject')
    const stranger = carOf(2)
    expect(topicOf(stranger, 3)).not.toBe(topicOf(car, 3))
    expect(judge(topicOf(car, 3), seal({}, stranger))).toBe('reject')
    expect(judge(topicOf(car, 3), seal({ model: cidToBytes(cidOf(Uint8Array.of(2))) }))).toBe('reject')
  })

  it('refuses a beacon with any bit flipped', () => {
    const judge = createShardGate(() => nowSeconds * 1000)
    const sealed = seal()
    for (let at = 0; at < sealed.length; at++) {
      const copy = new Uint8Array(sealed)
      copy[at] = (copy[at] ?? 0) ^ 1
      expect(judge(topicOf(car, 3), copy), `byte ${at}`).toBe('reject')
    }
  })

  it('passes over what is older or younger than two minutes', () => {
    const judge = createShardGate(() => nowSeconds * 1000)
    expect(judge(topicOf(car, 3), seal({ issued: nowSeconds - 121 }))).toBe('ignore')
    expect(judge(topicOf(car, 3), seal({ issued: nowSeconds + 121 }))).toBe('ignore')
  })

  it('hears one car only at the pace of a lone car, and a shard only at the pace of a crowd', () => {
    let nowMs = nowSeconds * 1000
    const judge = createShardGate(() => nowMs)
    const accepted = (seconds: number, next: (count: number) => [string, Uint8Array]): number => {
      let count = 0
      for (let turn = 0; turn < seconds * 20; turn++, nowMs += 50) if (judge(...next(turn)) === 'accept') count++
      return count
    }
    expect(accepted(30, () => [topicOf(car, 3), seal()])).toBeLessThanOrEqual(16 + 31)
    const root = shardTopic(model, '')
    const keys = Array.from({ length: 200 }, (_, index) => carOf(10 + index))
    expect(accepted(30, turn => [root, seal({ shard: 0 }, keys[turn % keys.length])])).toBeLessThanOrEqual(64 + 8 * 31)
  })
})
