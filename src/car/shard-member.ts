import type { FoundPeer, Mesh } from '../mesh/mesh.ts'
import { shardTopic } from '../placement/shards.ts'
import type { ModelCid } from '../protocol/ids.ts'

/** Connections that a car keeps inside its shard, so that gossip reaches it whoever leaves. */
const NEIGHBOURS = 6
const DIAL_MS = 5000
/** Pauses between looks for neighbours, ms: eager at first, then rare. */
const PAUSES_MS = [200, 500, 1000, 2000, 5000, 15_000, 30_000] as const

export interface ShardMember {
  readonly topic: string
  /** Cars known in the shard, this one included. */
  cars: () => number
  /** Stops listening and providing; resolves when its loops have ended. */
  leave: () => Promise<void>
}

/** Makes a car a member of a model's shard: hears its topic, is listed on the DHT, keeps a few connections in it. */
export function joinShard(mesh: Mesh, model: ModelCid, bits: string, onMessage: (message: Uint8Array) => void): ShardMember {
  const topic = shardTopic(model, bits)
  const left = new AbortController()
  const unsubscribe = mesh.subscribe(topic, onMessage)
  const providing = mesh.provide(topic, { signal: left.signal }).catch(() => undefined)
  const looking = keepNeighbours()

  async function keepNeighbours(): Promise<void> {
    for (let turn = 0; !left.signal.aborted; turn++) {
      await findNeighbours().catch(() => undefined)
      await pause(PAUSES_MS[Math.min(turn, PAUSES_MS.length - 1)] ?? 30_000, left.signal)
    }
  }

  async function findNeighbours(): Promise<void> {
    if (mesh.subscribers(topic).length >= NEIGHBOURS) return
    const connected = new Set(mesh.connections().map(({ peer }) => peer))
    const dials: Promise<unknown>[] = []
    for await (const found of mesh.findProviders(topic, { signal: AbortSignal.any([left.signal, AbortSignal.timeout(DIAL_MS)]) })) {
      if (found.peer === mesh.peerId || connected.has(found.peer)) continue
      dials.push(dial(found))
      if (dials.length + mesh.subscribers(topic).length >= NEIGHBOURS) break
    }
    await Promise.all(dials)
  }

  async function dial({ addresses }: FoundPeer): Promise<void> {
    for (const address of addresses) {
      try {
        await mesh.connect(address, { signal: AbortSignal.any([left.signal, AbortSignal.timeout(DIAL_MS)]) })
        return
      } catch {
        /* stale records are usual; the next address or provider will do */
      }
    }
  }

  return {
    topic,
    cars: () => mesh.subscribers(topic).length + 1,
    leave: async () => {
      left.abort()
      unsubscribe()
      await Promise.all([looking, providing, mesh.unprovide(topic).catch(() => undefined)])
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    if (signal.aborted) return done()
    signal.addEventListener('abort', done)
  })
}
