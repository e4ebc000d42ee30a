import type { Mesh } from '../mesh/mesh.ts'
import type { ModelManifest } from '../models/model.ts'
import { anySignal, isMotorpoolError } from '../protocol/errors.ts'
import type { ModelCid } from '../protocol/ids.ts'
import { discoverShard } from './discover-shard.ts'

/** What a client needs to know of a model: not its weights. */
export interface AskedModel {
  readonly cid: ModelCid
  readonly manifest: ModelManifest
}

/** A model's name and CID, for messages. */
export function describeModel({ cid, manifest }: AskedModel): string {
  return `${manifest.name} (${cid})`
}

export interface FindModelInit {
  readonly mesh: Mesh
  /** Looks in this peer's own store; rejects `ERR_MODEL_UNKNOWN`. */
  readonly stored: (nameOrCid: string) => Promise<AskedModel>
  /** Opens a manifest that others sent; throws `ERR_BAD_MANIFEST`. */
  readonly openManifest: (envelope: Uint8Array, cid: string) => ModelManifest
  readonly monotonicMs: () => number
}

/** The store is asked again after this, ms: a newer version of a name is found that late, and a busy client doesn't read the folder for every task. */
const KNOWN_MS = 1000

/** How long cars that hold an unknown model are looked for, ms. */
const DISCOVERY_MS = 10_000

/** Whether a string is a CID as models have it (CIDv1, base32, sha2-256), and no name. */
export function isModelCid(nameOrCid: string): nameOrCid is ModelCid {
  return /^b[a-z2-7]{58}$/.test(nameOrCid)
}

/**
 * Finds models by name or CID in the store, and by CID at the cars that run them. One that is known already is returned as it is,
 * so that a busy client doesn't wait for a promise with every task.
 */
export function createModelFinder({
  mesh,
  stored,
  openManifest,
  monotonicMs
}: FindModelInit): (nameOrCid: string, signal: AbortSignal | undefined) => AskedModel | Promise<AskedModel> {
  const fetched = new Map<string, AskedModel>()
  const found = new Map<string, { model: AskedModel | Promise<AskedModel>; readonly untilMs: number }>()
  /** Tasks that ask while the store is read share its answer. */
  const lookUp = (nameOrCid: string): AskedModel | Promise<AskedModel> => {
    const recent = found.get(nameOrCid)
    if (recent !== undefined && monotonicMs() < recent.untilMs) return recent.model
    const reading = stored(nameOrCid)
    const asked: { model: AskedModel | Promise<AskedModel>; readonly untilMs: number } = { model: reading, untilMs: monotonicMs() + KNOWN_MS }
    found.set(nameOrCid, asked)
    reading.then(
      model => {
        asked.model = model
      },
      () => {
        if (found.get(nameOrCid) === asked) found.delete(nameOrCid)
      }
    )
    return reading
  }
  const search = async (nameOrCid: string, reading: Promise<AskedModel>, signal: AbortSignal | undefined): Promise<AskedModel> => {
    try {
      return await reading
    } catch (error) {
      if (!isMotorpoolError(error, 'ERR_MODEL_UNKNOWN') || !isModelCid(nameOrCid)) throw error
    }
    const patience = AbortSignal.timeout(DISCOVERY_MS)
    await discoverShard(mesh, nameOrCid, anySignal(signal, patience))
    const model = { cid: nameOrCid, manifest: openManifest(await mesh.fetchBlock(nameOrCid, { signal }), nameOrCid) }
    fetched.set(nameOrCid, model)
    return model
  }
  return (nameOrCid, signal) => {
    const known = fetched.get(nameOrCid) ?? lookUp(nameOrCid)
    return known instanceof Promise ? search(nameOrCid, known, signal) : known
  }
}
