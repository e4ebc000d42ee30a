import { randomBytes } from 'node:crypto'
import { createMesh } from '../mesh/create-mesh.ts'
import type { LinkHandlers, Mesh } from '../mesh/mesh.ts'
import type { ModelStore } from '../models/model-store.ts'
import { createShardGate } from '../placement/shard-gate.ts'
import type { Hello } from '../protocol/control.ts'
import { type PeerOptions, SYSTEM_CLOCK } from './peer-options.ts'

const LOOPBACK = ['/ip4/127.0.0.1/tcp/0']

/** Joins the mesh under a peer key that nobody has seen. */
export function openMesh(options: PeerOptions, join: readonly string[], store: ModelStore, hello: () => Hello, handlers: LinkHandlers): Promise<Mesh> {
  const listen = options.listen ?? LOOPBACK
  return createMesh({
    seed: randomBytes(32),
    listen,
    join,
    mdns: options.mdns ?? false,
    dht: options.dht ?? dhtModeFor(listen),
    hello,
    handlers,
    validate: createShardGate(SYSTEM_CLOCK.unixMs, options.car?.shards?.beaconMs),
    readBlock: cid => store.readBlock(cid)
  })
}

/** Only publicly dialable peers answer DHT queries; on loopback everybody is dialable. */
function dhtModeFor(listen: readonly string[]): 'server' | 'client' {
  return listen.every(address => /^\/(ip4\/127\.|ip6\/::1\/)/.test(address)) ? 'server' : 'client'
}
