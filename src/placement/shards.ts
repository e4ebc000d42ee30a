import { createHash } from 'node:crypto'
import type { ModelCid } from '../protocol/ids.ts'

/** When a shard splits and merges, in cars. */
export interface ShardSettings {
  /** A shard with more cars splits in two. @default 128 */
  readonly splitAbove: number
  /** A shard with fewer cars merges into its parent; far below half of `splitAbove`, so that a fresh split never merges back. @default 24 */
  readonly mergeBelow: number
  /** Prefixes never grow longer. @default 24 */
  readonly maximumDepth: number
  /** Cars pace their presence beacons so that a shard hears one in this time, ms. @default 1000 */
  readonly beaconMs: number
  /** The old topic is heard beside the new one for so long after a split or merge, ms: without it 2–4 of 75 messages miss somebody. @default 5000 */
  readonly holdMs: number
  /** A newcomer looks so long for the depth of the others before it lists itself on the DHT, ms. @default 1000 */
  readonly entryMs: number
}

export const SHARD_DEFAULTS: ShardSettings = { splitAbove: 128, mergeBelow: 24, maximumDepth: 24, beaconMs: 1000, holdMs: 5000, entryMs: 1000 }

/** Bits of a car's hash that are kept: more than any prefix has. */
export const PATH_BITS = 32

/** The gossip topic, and the DHT key, of the cars whose hash begins with `bits` and that may run a model. */
export function shardTopic(model: ModelCid, bits: string): string {
  return `/motorpool/1/${model}/${bits}`
}

/** The model and prefix of a shard topic; undefined for any other string. */
export function parseShardTopic(topic: string): { readonly model: ModelCid; readonly bits: string } | undefined {
  const match = /^\/motorpool\/1\/([a-z2-7]{40,80})\/([01]{0,32})$/.exec(topic)
  return match === null ? undefined : { model: match[1] as ModelCid, bits: match[2] ?? '' }
}

/** The first `depth` bits of sha256(peer id multihash): where a car hangs in the prefix hash tree. */
export function shardBits(peer: Uint8Array, depth: number): string {
  const hash = createHash('sha256').update(peer).digest()
  let bits = ''
  for (let index = 0; index < depth; index++) bits += ((hash[index >> 3] ?? 0) >> (7 - (index & 7))) & 1
  return bits
}

/** What a car does about its shard, given how many cars it counts there (itself included). */
export function decideShard(bits: string, carsCounted: number, settings: ShardSettings = SHARD_DEFAULTS): 'stay' | 'split' | 'merge' {
  if (carsCounted > settings.splitAbove && bits.length < settings.maximumDepth) return 'split'
  if (carsCounted < settings.mergeBelow && bits.length > 0) return 'merge'
  return 'stay'
}

/**
 * The prefixes under which a car provides itself on the DHT: its leaf always, the ancestor j levels up with probability
 * 2⁻ʲ, so that every level lists about as many cars as one leaf holds. `draw` gives a number in [0, 1) per ancestor.
 */
export function providedPrefixes(leaf: string, draw: (ancestor: string) => number): readonly string[] {
  const prefixes = [leaf]
  for (let up = 1; up <= leaf.length; up++) {
    const ancestor = leaf.slice(0, leaf.length - up)
    if (draw(ancestor) < 2 ** -up) prefixes.push(ancestor)
  }
  return prefixes
}

/**
 * A draw for `providedPrefixes` that stays the same for a stay: in [0, 1), from a hash of the car's path and the ancestor.
 * @param path - the first `PATH_BITS` bits of the car's hash
 */
export function stableDraw(path: string): (ancestor: string) => number {
  return ancestor => createHash('sha256').update(`${path}/${ancestor}`).digest().readUInt32BE(0) / 2 ** 32
}

/** The longest prefix of a car's path whose topic it hears; undefined when it hears none. */
export function heardPrefix(path: string, hears: (bits: string) => boolean, maximumDepth: number = SHARD_DEFAULTS.maximumDepth): string | undefined {
  for (let depth = Math.min(maximumDepth, path.length); depth >= 0; depth--) if (hears(path.slice(0, depth))) return path.slice(0, depth)
  return undefined
}

/** Size bucket of an input or output in an announcement: 0 up to 1 KiB, then one more per factor of four. */
export function sizeBucket(byteLength: number): number {
  let bucket = 0
  for (let size = 1024; size < byteLength && bucket < 16; size *= 4) bucket++
  return bucket
}
