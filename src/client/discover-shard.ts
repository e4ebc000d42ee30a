import { setTimeout } from 'node:timers/promises'
import type { Link, Mesh } from '../mesh/mesh.ts'
import { heardPrefix, PATH_BITS, shardBits, shardTopic } from '../placement/shards.ts'
import { anySignal, MotorpoolError } from '../protocol/errors.ts'
import { cidToBytes, equalBytes, type ModelCid, peerIdToBytes } from '../protocol/ids.ts'

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
 * @param choose - picks among the shards that are known, at least one. @default the one with the most cars
 */
export async function discoverShard(
  mesh: Mesh,
  model: ModelCid,
  signal: AbortSignal,
  choose: (shards: readonly FoundShard[]) => FoundShard | undefined = mostCars
): Promise<FoundShard | undefined> {
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    const found = await lookOnce(mesh, model, signal, choose).catch(() => undefined)
    if (found !== undefined) return found
    await setTimeout(pauseMs, undefined, { signal }).catch(() => undefined)
  }
  return undefined
}

export function mostCars(shards: readonly FoundShard[]): FoundShard | undefined {
  return shards.reduce<FoundShard | undefined>((most, shard) => (most === undefined || shard.cars > most.cars ? shard : most), undefined)
}

async function lookOnce(
  mesh: Mesh,
  model: ModelCid,
  signal: AbortSignal,
  choose: (shards: readonly FoundShard[]) => FoundShard | undefined
): Promise<FoundShard | undefined> {
  if (knownShards(mesh, model).length === 0) await linkConnected(mesh, model, signal)
  if (knownShards(mesh, model).length === 0) await linkProviders(mesh, model, signal)
  const best = choose(knownShards(mesh, model))
  if (best === undefined) return undefined
  await mesh.waitForSubscribers(best.topic, 1, { signal: anySignal(signal, AbortSignal.timeout(DIAL_MS)) }).catch(() => undefined)
  return { ...best, cars: Math.max(best.cars, mesh.subscribers(best.topic).length) }
}

/** The shards in which linked cars are now, one entry each, with the highest count that any of them tells. */
function knownShards(mesh: Mesh, model: ModelCid): readonly FoundShard[] {
  const wanted = cidToBytes(model)
  const shards = new Map<string, FoundShard>()
  for (const link of mesh.links()) {
    if (link.closed) continue
    const told = toldShard(link, wanted)
    if (told === undefined) continue
    const shard = currentShard(mesh, model, link, told[1], told[2])
    if (shard.cars >= (shards.get(shard.bits)?.cars ?? 0)) shards.set(shard.bits, shard)
  }
  return [...shards.values()]
}

function toldShard({ hello }: Link, model: Uint8Array): readonly [Uint8Array, string, number] | undefined {
  return hello.shards?.find(([cid]) => equalBytes(cid, model))
}

/** A hello tells where a car was when it was said; its subscriptions tell where it is: further down or up the path of its hash. */
function currentShard(mesh: Mesh, model: ModelCid, link: Link, toldBits: string, toldCars: number): FoundShard {
  const hears = (bits: string): boolean => mesh.subscribers(shardTopic(model, bits)).includes(link.remote)
  const path = shardBits(peerIdToBytes(link.remote), PATH_BITS)
  const bits = hears(toldBits) && !hears(path.slice(0, toldBits.length + 1)) ? toldBits : (heardPrefix(path, hears) ?? toldBits)
  return { topic: shardTopic(model, bits), bits, cars: Math.max(1, Math.ceil(toldCars * 2 ** Math.min(0, toldBits.length - bits.length))) }
}

/** Links connected peers until one of them is a car that runs the model; one that is just leaving answers nobody. */
async function linkConnected(mesh: Mesh, model: ModelCid, signal: AbortSignal): Promise<void> {
  const wanted = cidToBytes(model)
  const limited = anySignal(signal, AbortSignal.timeout(DIAL_MS))
  const links = mesh
    .connections()
    .slice(0, CARS_ASKED * 2)
    .map(async ({ peer }) => {
      const link = await mesh.link(peer, { signal: limited })
      if (toldShard(link, wanted) === undefined) throw new MotorpoolError('ERR_MODEL_UNKNOWN', 'this peer doesn’t run the model; ask another')
    })
  await Promise.any(links).catch(() => undefined)
}

/** Links cars that the DHT lists at the root of the model's tree, wherever in the tree they are. */
export async function linkProviders(mesh: Mesh, model: ModelCid, signal: AbortSignal): Promise<void> {
  const enough = new AbortController()
  const found = Promise.withResolvers<void>()
  const dials = new Set<Promise<void>>()
  const linked = new Set(mesh.links().map(({ remote }) => remote))
  try {
    for await (const { peer, addresses } of mesh.findProviders(shardTopic(model, ''), { signal: anySignal(signal, enough.signal) })) {
      if (peer === mesh.peerId || linked.has(peer)) continue
      const dial = mesh
        .link(peer, { addresses, signal: anySignal(signal, AbortSignal.timeout(DIAL_MS)) })
        .then(
          () => enough.abort(),
          () => undefined
        )
        .finally(() => dials.delete(dial))
      dials.add(dial)
      // Of many records the cars have left since; the next is tried when one of these doesn't answer.
      if (dials.size >= CARS_ASKED) await Promise.race(dials)
    }
  } catch (error) {
    if (!enough.signal.aborted) throw error
  }
  enough.signal.addEventListener('abort', () => found.resolve(), { once: true })
  if (!enough.signal.aborted) await Promise.race([found.promise, Promise.all(dials)])
}
