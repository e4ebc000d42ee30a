import { open } from 'node:fs/promises'
import { MotorpoolError } from '../../protocol/errors.ts'
import { cidOf, cidOfDigest } from '../../protocol/ids.ts'
import { LIMITS } from '../../protocol/limits.ts'
import type { ModelManifest } from '../model.ts'
import { readFully } from './file-digests.ts'
import { ifExists, readIfExists, type StoreFolder } from './store-folder.ts'

/** Where the bytes of a block lie. */
interface Location {
  readonly blob: string
  readonly offset: number
  readonly byteLength: number
}

/**
 * Finds blocks by their CID. What it remembers of a model never changes, and models that came or went since are noticed
 * whenever a block isn't found, so that several processes may share a store.
 */
export class BlockIndex {
  readonly #folder: StoreFolder
  readonly #models = new Map<string, ReadonlyMap<string, Location>>()

  constructor(folder: StoreFolder) {
    this.#folder = folder
  }

  /** The block's bytes, checked; throws `ERR_MODEL_UNKNOWN` when no model here has it, `ERR_BAD_MODEL` when it went bad on disk. */
  async read(cid: string, manifestOf: (cid: string) => Promise<ModelManifest>): Promise<Uint8Array> {
    const location = this.#find(cid) ?? (await this.#refresh(cid, manifestOf))
    const bytes = location === undefined ? undefined : await this.#readAt(location)
    if (bytes === undefined) throw new MotorpoolError('ERR_MODEL_UNKNOWN', `no model here has the block ${cid}; ask another peer`)
    if (cidOf(bytes) !== cid) throw new MotorpoolError('ERR_BAD_MODEL', `${location?.blob} was changed on disk; add or fetch its model again`)
    return bytes
  }

  #find(cid: string): Location | undefined {
    for (const blocks of this.#models.values()) {
      const location = blocks.get(cid)
      if (location !== undefined) return location
    }
    return undefined
  }

  async #refresh(block: string, manifestOf: (cid: string) => Promise<ModelManifest>): Promise<Location | undefined> {
    const cids = new Set(await this.#folder.cids())
    for (const cid of this.#models.keys()) if (!cids.has(cid)) this.#models.delete(cid)
    for (const cid of cids) {
      if (this.#models.has(cid)) continue
      try {
        this.#models.set(cid, await this.#locate(await manifestOf(cid)))
      } catch (error) {
        // One broken model must not keep the others from being served; whoever opens it is told.
        if (!(error instanceof MotorpoolError)) throw error
      }
    }
    return this.#find(block)
  }

  async #locate(manifest: ModelManifest): Promise<ReadonlyMap<string, Location>> {
    const blocks = new Map<string, Location>()
    for (const file of manifest.files) {
      const blob = this.#folder.blob(file.sha256)
      if (file.blocks === undefined) {
        blocks.set(cidOfDigest(file.sha256), { blob, offset: 0, byteLength: file.size })
        continue
      }
      const listBlob = this.#folder.blob(file.blocks)
      const list = (await readIfExists(listBlob)) ?? new Uint8Array(0)
      blocks.set(cidOfDigest(file.blocks), { blob: listBlob, offset: 0, byteLength: list.byteLength })
      for (let at = 0; at < list.byteLength; at += 32) {
        const offset = (at / 32) * LIMITS.block
        blocks.set(cidOfDigest(list.subarray(at, at + 32)), { blob, offset, byteLength: Math.min(LIMITS.block, file.size - offset) })
      }
    }
    return blocks
  }

  async #readAt(location: Location): Promise<Uint8Array | undefined> {
    const file = await ifExists(open(location.blob, 'r'))
    if (file === undefined) return undefined
    try {
      const bytes = new Uint8Array(location.byteLength)
      return bytes.subarray(0, await readFully(file, bytes, location.offset))
    } finally {
      await file.close()
    }
  }
}
