const KIB = 1024
const MIB = 1024 * KIB

/** Sizes beyond which a peer refuses, in bytes unless the name says otherwise. */
export const LIMITS = {
  /** A frame of the control stream: small, so that a heartbeat never waits. */
  controlFrame: 16 * KIB,
  /** The head of a bulk transfer (task and result descriptions). */
  transferHead: 64 * KIB,
  /** The payload of a bulk transfer: a photo or a large activation, not a weight file. */
  transferPayload: 64 * MIB,
  /** An announcement in its envelope, as gossiped. */
  announcement: 512,
  /** A presence beacon in its envelope, as gossiped. */
  beacon: 512,
  /** An offer, award or binding in its envelope. */
  signedMessage: 4 * KIB,
  /** A capacity record on the DHT. */
  capacityRecord: 4 * KIB,
  /** A signed model manifest. */
  manifest: 256 * KIB,
  /** One block of a model file, as fetched from a peer. */
  block: 1 * MIB,
  /** A receipt file. */
  receiptFile: 64 * KIB,
  /** Tensors of one task or result. */
  tensors: 256,
  /** Dimensions of one tensor. */
  tensorRank: 32,
  /** Bytes of a tensor's, file's or parameter's name. */
  name: 256,
  /**
   * A worker may keep a reply for so long, ms, so that others go along, and its car the result, so that those of its other workers
   * do: so much later hardly matters to who has many tasks under way.
   */
  replyHeldMs: 80,
  resultHeldMs: 60,
  /** Seconds by which two honest clocks may differ. */
  clockSkewSeconds: 120
} as const

/** Keeps what was set last, at most so many: a map or set lists its keys in the order in which they were set. */
export function forgetOldest<Key>(kept: Map<Key, unknown> | Set<Key>, most: number): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= most) return
    kept.delete(oldest)
  }
}

/**
 * Work that may be in a worker ahead of time, microseconds: so that several short tasks travel there at once and their results
 * back, and their wait costs a newcomer little. As much as a client keeps under way of them.
 */
const AHEAD_US = 128_000
const MOST_AHEAD = 16

/** How many tasks that take `runUs` each may be in a worker, from 0 for long ones to 16. */
export function tasksAhead(runUs: number): number {
  return Math.min(MOST_AHEAD, Math.floor(AHEAD_US / runUs))
}
