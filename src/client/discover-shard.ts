import { setTimeout } from 'node:timers/promises'
import type { Link, Mesh } from '../mesh/mesh.ts'
import { shardTopic } from '../placement/shards.ts'
import { cidToBytes, equalBytes, type ModelCid } from '../protocol/ids.ts'

/** A shard that a client can announce on now. */
export interface FoundShard {
  readonly topic: string
  /** Its prefix. */
  readonly bits: string
  /** Cars that are counted there. */
  readonly cars: number
}

/** Cars that a client asks for their shard: enough that one that lies or leaves doesn't matter. */
const CARS_ASKED = 4
/** How long cars that the DHT names have to answer a dial before the next are tried, ms. */
const DIAL_MS = 3000

/** Pauses between two looks, ms: a newcomer's first connections come within tens of milliseconds, other cars when they park. */
const FIRST_PAUSE_MS = 25
const LONGEST_PAUSE_MS = 1000

/**
 * Finds cars that run a model: those that are linked already, else connected peers, else the providers of the model's
 * root topic on the DHT; then waits until one is known to hear the topic. Looks again until `signal` aborts; then resolves
 * undefined.
 */
export async function discoverShard(mesh: Mesh, model: ModelCid, signal: AbortSignal): Promise<FoundShard | undefined> {
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    const found = await lookOnce(mesh, model, signal).catch(() => undefined)
    if (found !== undefined) return found
    await setTimeout(pauseMs, undefined, { signal }).catch(() => undefined)
  }
  return undefined
}

async function lookOnce(mesh: Mesh, model: ModelCid, signal: AbortSignal): Promise<FoundShard | undefined> {
  if (shardsOf(mesh, model).length === 0) await linkConnected(mesh, signal)
  if (shardsOf(mesh, model).length === 0) await linkProviders(mesh, model, signal)
  const shards = shardsOf(mesh, model)
  const best = shards.reduce<FoundShard | undefined>((most, shard) => (most === undefined || shard.cars > most.cars ? shard : most), undefined)
  if (best === undefined) return undefined
  await mesh.waitForSubscribers(best.topic, 1, { signal: AbortSignal.any([signal, AbortSignal.timeout(DIAL_MS)]) }).catch(() => undefined)
  return { topic: best.topic, bits: best.bits, cars: Math.max(best.cars, mesh.subscribers(best.topic).length) }
}

/** The shards of a model that linked cars told of in their hello. */
function shardsOf(mesh: Mesh, model: ModelCid): readonly FoundShard[] {
  const wanted = cidToBytes(model)
  const tell = (link: Link): readonly FoundShard[] =>
    (link.hello.shards ?? []).filter(([cid]) => equalBytes(cid, wanted)).map(([, bits, cars]) => ({ topic: shardTopic(model, bits), bits, cars }))
  return mesh
    .links()
    .filter(link => !link.closed)
    .flatMap(tell)
}

async function linkConnected(mesh: Mesh, signal: AbortSignal): Promise<void> {
  const peers = mesh.connections().slice(0, CARS_ASKED * 2)
  await Promise.all(peers.map(({ peer }) => mesh.link(peer, { signal: AbortSignal.any([signal, AbortSignal.timeout(DIAL_MS)]) }).catch(() => undefined)))
}

async function linkProviders(mesh: Mesh, model: ModelCid, signal: AbortSignal): Promise<void> {
  const enough = new AbortController()
  const dials: Promise<unknown>[] = []
  try {
    for await (const { peer, addresses } of mesh.findProviders(shardTopic(model, ''), { signal: AbortSignal.any([signal, enough.signal]) })) {
      if (peer === mesh.peerId) continue
      dials.push(
        mesh.link(peer, { addresses, signal: AbortSignal.any([signal, AbortSignal.timeout(DIAL_MS)]) }).then(
          () => enough.abort(),
          () => undefined
        )
      )
      if (dials.length >= CARS_ASKED) break
    }
  } catch (error) {
    if (!enough.signal.aborted) throw error
  }
  await Promise.all(dials)
}
