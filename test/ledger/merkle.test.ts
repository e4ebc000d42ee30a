import { describe, expect, it } from 'vitest'
import { isIncluded, treeProofs, treeRoot } from '../../src/ledger/merkle.ts'
import { fromHex, sha256, toHex } from '../../src/protocol/ids.ts'

/** The inputs and roots that Certificate Transparency's implementations test with. */
const INPUTS = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(fromHex)
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'
]

/** RFC 9162 §2.1.1 and §2.1.3.1 word for word, as recursions. */
function rootByDefinition(leaves: readonly Uint8Array[]): Uint8Array {
  const [first] = leaves
  if (first === undefined) return sha256()
  if (leaves.length === 1) return sha256(Uint8Array.of(0), first)
  const half = 2 ** Math.ceil(Math.log2(leaves.length) - 1)
  return sha256(Uint8Array.of(1), rootByDefinition(leaves.slice(0, half)), rootByDefinition(leaves.slice(half)))
}
function pathByDefinition(index: number, leaves: readonly Uint8Array[]): Uint8Array[] {
  if (leaves.length === 1) return []
  const half = 2 ** Math.ceil(Math.log2(leaves.length) - 1)
  return index < half
    ? [...pathByDefinition(index, leaves.slice(0, half)), rootByDefinition(leaves.slice(half))]
    : [...pathByDefinition(index - half, leaves.slice(half)), rootByDefinition(leaves.slice(0, half))]
}

const leavesOf = (size: number): Uint8Array[] => Array.from({ length: size }, (_, index) => Uint8Array.of(index))

describe('the Merkle tree', () => {
  it('has the known roots', () => {
    expect(ROOTS.map((_, size) => toHex(treeRoot(INPUTS.slice(0, size))))).toEqual(ROOTS)
  })

  it('equals the definition of RFC 9162 for 1 to 33 leaves, every path included', () => {
    for (let size = 1; size <= 33; size++) {
      const leaves = leavesOf(size)
      const { root, proofs } = treeProofs(leaves)
      expect(root).toEqual(rootByDefinition(leaves))
      expect(treeRoot(leaves)).toEqual(root)
      for (const [index, leaf] of leaves.entries()) {
        expect(proofs[index]).toEqual({ index, path: pathByDefinition(index, leaves) })
        expect(isIncluded(leaf, proofs[index] ?? { index, path: [] }, size, root)).toBe(true)
      }
    }
  })

  it('has a proof for no other leaf, index, size, path or root', () => {
    for (let size = 1; size <= 17; size++) {
      const leaves = leavesOf(size)
      const { root, proofs } = treeProofs(leaves)
      for (const [index, leaf] of leaves.entries()) {
        const path = proofs[index]?.path ?? []
        expect(isIncluded(Uint8Array.of(200), { index, path }, size, root)).toBe(false)
        for (let other = -1; other <= size + 1; other++) expect(isIncluded(leaf, { index: other, path }, size, root)).toBe(other === index)
        expect(isIncluded(leaf, { index, path: [...path, new Uint8Array(32)] }, size, root)).toBe(false)
        expect(isIncluded(leaf, { index, path }, size, new Uint8Array(32))).toBe(false)
        for (let cut = 0; cut < path.length; cut++) {
          expect(isIncluded(leaf, { index, path: path.slice(0, cut) }, size, root)).toBe(false)
          expect(isIncluded(leaf, { index, path: path.with(cut, new Uint8Array(32)) }, size, root)).toBe(false)
        }
      }
    }
  })

  it('takes no inner node for a leaf', () => {
    const leaves = leavesOf(4)
    const { root, proofs } = treeProofs(leaves)
    const node = Buffer.concat([sha256(Uint8Array.of(0, 0)), sha256(Uint8Array.of(0, 1))])
    expect(isIncluded(node, { index: 0, path: proofs[0]?.path.slice(1) ?? [] }, 2, root)).toBe(false)
  })

  it.each([0.5, -1, Number.NaN, 2 ** 32, Number.POSITIVE_INFINITY])('is not asked with index or size %d', number => {
    const root = treeRoot([Uint8Array.of(0)])
    expect(isIncluded(Uint8Array.of(0), { index: number, path: [] }, 1, root)).toBe(false)
    expect(isIncluded(Uint8Array.of(0), { index: 0, path: [] }, number, root)).toBe(false)
  })
})
