import { cidFromBytes, peerIdOfKey, peerIdToBytes, toHex } from '../protocol/ids.ts'
import { forgetOldest, LIMITS } from '../protocol/limits.ts'
import type { GateVerdict } from './announcement-gate.ts'
import { openHeardBeacon } from './open-gossip.ts'
import { shardBits, shardTopic } from './shards.ts'

/** Beacons of one car in a burst: it may hold two topics of several models. Then one per `beaconMs`: the pace of a shard of one. */
const SENDER_BURST = 16
/** Beacons of one topic in a burst and per `beaconMs`: honest cars keep to about one, also when many come at once. */
const TOPIC_BURST = 64
const TOPIC_RATE = 8
/** Senders and topics remembered; the oldest are forgotten first. */
const KEPT = 4096

/**
 * Judges presence beacons as the announcement gate judges announcements: size, schema, signature, and that the topic is
 * on the path of the sender's own hash (`reject`); age and rate, per sender and per topic (`ignore`).
 * @param beaconMs - the pace that cars keep in a shard, see ShardSettings
 */
export function createBeaconGate(nowMs: () => number, beaconMs: number): (topic: string, message: Uint8Array) => GateVerdict {
  const senders = createBuckets(SENDER_BURST, 1 / beaconMs)
  const topics = createBuckets(TOPIC_BURST, TOPIC_RATE / beaconMs)
  return (topic, message) => {
    let opened: ReturnType<typeof openHeardBeacon>
    try {
      opened = openHeardBeacon(message)
    } catch {
      return 'reject'
    }
    const { value: beacon, publicKey } = opened
    const path = shardBits(peerIdToBytes(peerIdOfKey(publicKey)), beacon.shard)
    if (shardTopic(cidFromBytes(beacon.model), path) !== topic) return 'reject'
    const now = nowMs()
    if (Math.abs(beacon.issued * 1000 - now) > LIMITS.clockSkewSeconds * 1000) return 'ignore'
    return senders(toHex(publicKey), now) && topics(topic, now) ? 'accept' : 'ignore'
  }
}

/** Token buckets by key: whether one more is in its rate. */
function createBuckets(burst: number, perMs: number): (key: string, nowMs: number) => boolean {
  const buckets = new Map<string, { readonly tokens: number; readonly atMs: number }>()
  return (key, nowMs) => {
    const known = buckets.get(key) ?? { tokens: burst, atMs: nowMs }
    const tokens = Math.min(burst, known.tokens + Math.max(0, nowMs - known.atMs) * perMs)
    buckets.delete(key)
    buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs })
    forgetOldest(buckets, KEPT)
    return tokens >= 1
  }
}
