import { looksLikeBeacon } from '../protocol/envelope.ts'
import { createAnnouncementGate, type GateVerdict } from './announcement-gate.ts'
import { createBeaconGate } from './beacon-gate.ts'
import { SHARD_DEFAULTS } from './shards.ts'

/** Judges whatever comes on a shard topic: announcements and presence beacons, each by its own rules and rates. */
export function createShardGate(nowMs: () => number, beaconMs: number = SHARD_DEFAULTS.beaconMs): (topic: string, message: Uint8Array) => GateVerdict {
  const announcements = createAnnouncementGate(nowMs)
  const beacons = createBeaconGate(nowMs, beaconMs)
  return (topic, message) => (looksLikeBeacon(message) ? beacons(topic, message) : announcements(topic, message))
}
