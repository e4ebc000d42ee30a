import { discoverShard } from '../client/discover-shard.ts'
import { isModelCid } from '../client/find-model.ts'
import type { LinkHandlers } from '../mesh/mesh.ts'
import type { ModelPolicy } from '../models/model.ts'
import type { ModelStore } from '../models/model-store.ts'
import { anySignal } from '../protocol/errors.ts'
import { openMesh } from './open-mesh.ts'
import { AGENT, type PeerOptions } from './peer-options.ts'

/** How long peers that hold a model are looked for before it is fetched, ms. */
const FETCH_DISCOVERY_MS = 10_000
const NO_HANDLERS: LinkHandlers = { onMessage: () => undefined, onTransfer: (_link, _head, body) => body.discard(), onClose: () => undefined }

/** Models that the car names by CID and doesn't have come from peers, under a peer key that is used for nothing else. */
export async function fetchMissing(options: PeerOptions, store: ModelStore, policy: ModelPolicy, join: readonly string[], signal: AbortSignal): Promise<void> {
  const stored = new Set((await store.list()).map(({ cid }) => cid))
  const missing = (options.car?.models ?? []).filter(isModelCid).filter(cid => !stored.has(cid))
  if (missing.length === 0) return
  const mesh = await openMesh(options, join, store, () => ({ type: 'hello', v: 1, agent: AGENT }), NO_HANDLERS)
  try {
    for (const cid of missing) {
      await discoverShard(mesh, cid, anySignal(signal, AbortSignal.timeout(FETCH_DISCOVERY_MS)))
      await store.fetch(cid, { fetch: mesh.fetchBlock }, { policy, signal })
    }
  } finally {
    await mesh.stop()
  }
}
