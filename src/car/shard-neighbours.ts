import { setTimeout as sleep } from 'node:timers/promises'
import type { Mesh } from '../mesh/mesh.ts'
import { anySignal } from '../protocol/errors.ts'
import type { PeerId } from '../protocol/ids.ts'

/** Connections that a car keeps inside its shard, so that gossip reaches it whoever leaves. */
const NEIGHBOURS = 6
const DIAL_MS = 5000
/** A car that could not be dialled is tried again after this, ms. */
const REDIAL_MS = 5000
/** Pauses between looks at who is connected, ms: eager at first and after a move. */
const LOOK_MS = [200, 300, 500, 1000] as const
/** Pauses between questions to the DHT, ms: it costs tens of messages, and beacons soon tell of other cars too. */
const ASK_DHT_MS = [1000, 2000, 5000, 15_000, 30_000] as const
/** With all neighbours that there are, the DHT is asked this rarely, ms: two halves of a shard that know nothing of each other meet again. */
const HEAL_MS = 60_000

export interface ShardNeighboursInit {
  readonly mesh: Mesh
  /** The topic of the shard now. */
  readonly topic: () => string
  /** Whether a car was heard of in the shard, as it is now. */
  readonly isMate: (peer: PeerId) => boolean
  /** Cars counted in the shard, this one included. */
  readonly cars: () => number
  readonly monotonicMs: () => number
  readonly random: () => number
  /** Called after each look. */
  readonly onLook: () => void
}

/** Keeps a few connections inside a car's shard: to cars whose beacons it hears, and to those that the DHT names when it knows too few. */
export interface ShardNeighbours {
  /** Where a car can be dialled, by its own word. */
  met: (peer: PeerId, addresses: readonly Uint8Array[]) => void
  /** The shard is another one now. */
  moved: () => void
  /** Resolves when the search has ended. */
  stop: () => Promise<void>
}

export function keepNeighbours(init: ShardNeighboursInit): ShardNeighbours {
  const { mesh, monotonicMs } = init
  const stopped = new AbortController()
  const known = new Map<PeerId, readonly Uint8Array[]>()
  const redialMs = new Map<PeerId, number>()
  /** A name of its own: a car is in one shard of each of its models. */
  const tag = `shard-neighbour-${init.topic()}`
  let changed = new AbortController()
  let kept: readonly PeerId[] = []
  const searching = search()

  async function search(): Promise<void> {
    let turn = 0
    let asked = 0
    let askDhtMs = 0
    let healing = false
    while (!stopped.signal.aborted) {
      if (changed.signal.aborted) {
        changed = new AbortController()
        turn = 0
        asked = 0
        askDhtMs = 0
        healing = false
      }
      await dialMates()
      if (monotonicMs() >= askDhtMs) {
        const lacking = lacks() > 0
        // What the DHT names is all that a newcomer knows; later it is only a remedy.
        if (lacking || healing) await askDht().catch(() => undefined)
        healing = !lacking
        const pauseMs = lacking ? (ASK_DHT_MS[Math.min(asked, ASK_DHT_MS.length - 1)] ?? HEAL_MS) : HEAL_MS
        askDhtMs = monotonicMs() + pauseMs * (0.5 + init.random())
        asked++
      }
      prefer()
      init.onLook()
      const signal = anySignal(stopped.signal, changed.signal)
      await sleep(LOOK_MS[Math.min(turn++, LOOK_MS.length - 1)], undefined, { signal }).catch(() => undefined)
    }
  }

  /** Neighbours that it would like to have and that, by the count, there are. */
  function lacks(): number {
    return Math.min(NEIGHBOURS, Math.max(1, init.cars() - 1)) - mesh.subscribers(init.topic()).length
  }

  async function dialMates(): Promise<void> {
    for (const peer of known.keys()) if (!init.isMate(peer)) known.delete(peer)
    const missing = NEIGHBOURS - mesh.subscribers(init.topic()).length
    if (missing <= 0) return
    const now = monotonicMs()
    for (const [peer, untilMs] of redialMs) if (untilMs <= now) redialMs.delete(peer)
    const connected = new Set(mesh.connections().map(({ peer }) => peer))
    const candidates = [...known.keys()].filter(peer => !connected.has(peer) && !redialMs.has(peer))
    const drawn = candidates.map(peer => ({ peer, draw: init.random() })).sort((left, right) => left.draw - right.draw)
    await Promise.all(drawn.slice(0, missing).map(({ peer }) => dial(peer, known.get(peer) ?? [])))
  }

  async function askDht(): Promise<void> {
    const connected = new Set(mesh.connections().map(({ peer }) => peer))
    const dials: Promise<void>[] = []
    const signal = anySignal(stopped.signal, changed.signal, AbortSignal.timeout(DIAL_MS))
    for await (const { peer, addresses } of mesh.findProviders(init.topic(), { signal })) {
      if (peer === mesh.peerId || connected.has(peer) || redialMs.has(peer)) continue
      dials.push(dial(peer, addresses))
      if (dials.length >= NEIGHBOURS) break
    }
    await Promise.all(dials)
  }

  async function dial(peer: PeerId, addresses: readonly (string | Uint8Array)[]): Promise<void> {
    redialMs.set(peer, monotonicMs() + REDIAL_MS)
    const signal = anySignal(stopped.signal, AbortSignal.timeout(DIAL_MS))
    // Stale records are usual; other cars will do.
    await mesh.dial(peer, { addresses, signal }).catch(() => undefined)
  }

  /** The neighbours of before first, so that the choice is steady. */
  function prefer(): void {
    const hearing = new Set(mesh.subscribers(init.topic()))
    kept = [...new Set([...kept.filter(peer => hearing.has(peer)), ...hearing])].slice(0, NEIGHBOURS)
    mesh.prefer(tag, kept)
  }

  return {
    met: (peer, addresses) => {
      if (addresses.length > 0) known.set(peer, addresses)
    },
    moved: () => changed.abort(),
    stop: async () => {
      stopped.abort()
      mesh.prefer(tag, [])
      await searching
    }
  }
}
