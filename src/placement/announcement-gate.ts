import { cidFromBytes, toHex } from '../protocol/ids.ts'
import { forgetOldest, LIMITS } from '../protocol/limits.ts'
import { openHeardAnnouncement } from './open-gossip.ts'
import { shardTopic } from './shards.ts'

export type GateVerdict = 'accept' | 'reject' | 'ignore'

/** Announcements that one peer key may send in a burst, and then per second: a client with work opens a few rounds. */
const BURST = 20
const PER_SECOND = 4
/** Senders remembered; the oldest are forgotten first. */
const SENDERS_KEPT = 4096

/**
 * Judges gossip before it reaches a car or is forwarded: size, schema, signature and topic (`reject`: the sender should
 * have known), expiry and rate per sender (`ignore`: it may be honest).
 */
export function createAnnouncementGate(nowMs: () => number): (topic: string, message: Uint8Array) => GateVerdict {
  const senders = new Map<string, { readonly tokens: number; readonly atMs: number }>()
  return (topic, message) => {
    if (message.byteLength > LIMITS.announcement) return 'reject'
    let announcement: ReturnType<typeof openHeardAnnouncement>['value']
    try {
      announcement = openHeardAnnouncement(message).value
    } catch {
      return 'reject'
    }
    if (shardTopic(cidFromBytes(announcement.model), announcement.bits) !== topic) return 'reject'
    const now = nowMs()
    const skew = LIMITS.clockSkewSeconds * 1000
    if (announcement.expires * 1000 + skew < now || announcement.issued * 1000 - skew > now) return 'ignore'
    const sender = toHex(announcement.client)
    const known = senders.get(sender) ?? { tokens: BURST, atMs: now }
    const tokens = Math.min(BURST, known.tokens + (Math.max(0, now - known.atMs) / 1000) * PER_SECOND)
    senders.delete(sender)
    senders.set(sender, { tokens: Math.max(0, tokens - 1), atMs: now })
    forgetOldest(senders, SENDERS_KEPT)
    return tokens >= 1 ? 'accept' : 'ignore'
  }
}
