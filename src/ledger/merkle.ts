import { equalBytes, sha256 } from '../protocol/ids.ts'

/** Where a leaf stands in a tree: its index and the sibling hashes on the way up, lowest first. */
export interface InclusionProof {
  readonly index: number
  readonly path: readonly Uint8Array[]
}

/** Keeps leaves and nodes apart, so that a node can't pass for a leaf (RFC 9162 §2.1.1). */
const LEAF_PREFIX = Uint8Array.of(0)
const NODE_PREFIX = Uint8Array.of(1)

/** The root of the Merkle tree over `leaves` (RFC 9162 §2.1.1); that of no leaves is the hash of nothing. */
export function treeRoot(leaves: readonly Uint8Array[]): Uint8Array {
  return treeLevels(leaves).at(-1)?.[0] ?? sha256()
}

/** The root and every leaf's inclusion proof (RFC 9162 §2.1.3.1), hashing each node once. */
export function treeProofs(leaves: readonly Uint8Array[]): { readonly root: Uint8Array; readonly proofs: readonly InclusionProof[] } {
  const levels = treeLevels(leaves)
  const proofs = leaves.map((_, index) => {
    const path: Uint8Array[] = []
    for (let level = 0, at = index; level < levels.length - 1; level++, at >>>= 1) {
      const sibling = levels[level]?.[at ^ 1]
      if (sibling !== undefined) path.push(sibling)
    }
    return { index, path }
  })
  return { root: levels.at(-1)?.[0] ?? sha256(), proofs }
}

/** Whether `leaf` stands at the proof's index in a tree of `size` leaves with this root (RFC 9162 §2.1.3.2). */
export function isIncluded(leaf: Uint8Array, proof: InclusionProof, size: number, root: Uint8Array): boolean {
  if (!isCount(size) || !isCount(proof.index) || proof.index >= size) return false
  let index = proof.index
  let last = size - 1
  let hash = sha256(LEAF_PREFIX, leaf)
  for (const sibling of proof.path) {
    if (last === 0 || sibling.length !== 32) return false
    if (index % 2 === 1 || index === last) {
      hash = sha256(NODE_PREFIX, sibling, hash)
      // A last node without a sibling rises unchanged to the level where it has one.
      while (index % 2 === 0 && index !== 0) [index, last] = [index >>> 1, last >>> 1]
    } else {
      hash = sha256(NODE_PREFIX, hash, sibling)
    }
    ;[index, last] = [index >>> 1, last >>> 1]
  }
  return last === 0 && equalBytes(hash, root)
}

/** Levels from the leaf hashes up to the root. An odd last node rises unchanged, which gives RFC 9162's tree for any size. */
function treeLevels(leaves: readonly Uint8Array[]): Uint8Array[][] {
  let level = leaves.map(leaf => sha256(LEAF_PREFIX, leaf))
  const levels = [level]
  while (level.length > 1) {
    const next: Uint8Array[] = []
    for (let at = 0; at < level.length; at += 2) {
      const [left, right] = [level[at], level[at + 1]]
      if (left !== undefined) next.push(right === undefined ? left : sha256(NODE_PREFIX, left, right))
    }
    level = next
    levels.push(level)
  }
  return levels
}

/** Bit operations here need numbers below 2³². */
function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 32
}
