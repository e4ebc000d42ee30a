import { setTimeout as sleep } from 'node:timers/promises'
import { CID } from 'multiformats/cid'
import { anySignal, throwIfAborted } from '../protocol/errors.ts'
import { cidOf, type PeerId } from '../protocol/ids.ts'
import { capacityKey, newestCapacity } from './capacity-record.ts'
import { foundPeer } from './host/addresses.ts'
import type { Host } from './host/host.ts'
import type { Mesh, SignalOption } from './mesh.ts'
import type { MeshLimits } from './mesh-limits.ts'
import { limitedSignal, withSignal } from './with-signal.ts'

export type Adverts = Pick<Mesh, 'provide' | 'unprovide' | 'findProviders' | 'putCapacity' | 'getCapacity'> & { readonly stop: () => Promise<void> }

/** How long a caller waits for what goes on in the background anyway. */
const FOREGROUND_MS = 5000
/** Records that agree on who serves them; more answers rarely bring a newer one. */
const ENOUGH_RECORDS = 3
const RETRY_MS = [250, 500, 1000, 2000, 5000, 10_000, 30_000]

/** What a peer tells the DHT and asks of it. */
export function openAdverts(host: Host, limits: MeshLimits, stopped: AbortSignal): Adverts {
  const { dht } = host.services
  const running = new Map<string, AbortController>()
  const work = new Set<Promise<void>>()

  /**
   * Does it again until the DHT has taken it. Resolves then, or earlier and goes on in the background: at once while this
   * peer is connected to nobody, after a few seconds when nobody answers.
   */
  const persist = async (name: string, step: (signal: AbortSignal) => Promise<number>, options: SignalOption = {}) => {
    throwIfAborted(options.signal)
    running.get(name)?.abort()
    const controller = new AbortController()
    running.set(name, controller)
    const signal = anySignal(controller.signal, stopped)
    const done = persistently(step, signal, limits.lookupTimeoutMs).finally(() => {
      work.delete(done)
      if (running.get(name) === controller) running.delete(name)
    })
    work.add(done)
    if (host.getConnections().length === 0) return
    const patience = new AbortController()
    await Promise.race([withSignal(done, options.signal), sleep(FOREGROUND_MS, undefined, { signal: patience.signal }).catch(() => {})]).finally(() =>
      patience.abort()
    )
  }
  const count = async (events: AsyncIterable<{ readonly name: string }>) => {
    let answers = 0
    for await (const event of events) if (event.name === 'PEER_RESPONSE') answers++
    return answers
  }

  return {
    provide: async (key, options) => {
      const cid = CID.parse(keyCid(key))
      await persist(`provide ${key}`, signal => count(dht.provide(cid, { signal })), options)
    },
    unprovide: async key => {
      running.get(`provide ${key}`)?.abort()
      await dht.cancelReprovide(CID.parse(keyCid(key)))
    },
    findProviders: async function* (key, options = {}) {
      throwIfAborted(options.signal)
      const signal = limitedSignal(limits.lookupTimeoutMs, options.signal, stopped)
      const found = new Set<string>([host.peerId.toString()])
      try {
        for await (const event of dht.findProviders(CID.parse(keyCid(key)), { signal })) {
          if (event.name !== 'PROVIDER') continue
          for (const provider of event.providers) {
            const peer = provider.id.toString() as PeerId
            if (found.has(peer)) continue
            found.add(peer)
            yield foundPeer(peer, provider.multiaddrs)
          }
        }
      } catch (error) {
        throwIfAborted(options.signal)
        // The DHT had its time, or this mesh stops: what was found is what there is.
        if (!signal.aborted) throw error
      }
    },
    putCapacity: async (envelope, options) => {
      const key = capacityKey(host.peerId.toString() as PeerId)
      await persist('capacity', signal => count(dht.put(key, envelope, { signal })), options)
    },
    getCapacity: async (peer, options = {}) => {
      throwIfAborted(options.signal)
      const signal = limitedSignal(limits.lookupTimeoutMs, options.signal, stopped)
      const records: Uint8Array[] = []
      try {
        for await (const event of dht.get(capacityKey(peer), { signal })) {
          if (event.name === 'VALUE') records.push(event.value)
          if (event.name === 'PEER_RESPONSE' && event.record?.value !== undefined) records.push(event.record.value)
          if (records.length >= ENOUGH_RECORDS) break
        }
      } catch {
        throwIfAborted(options.signal)
        // A server that refuses the correction of its old record fails the whole lookup, after the answers are in.
      }
      return newestCapacity(peer, records, Math.floor(Date.now() / 1000))
    },
    stop: async () => {
      await Promise.allSettled([...work])
    }
  }
}

async function persistently(step: (signal: AbortSignal) => Promise<number>, signal: AbortSignal, timeoutMs: number): Promise<void> {
  for (let tries = 0; !signal.aborted; tries++) {
    try {
      if ((await withSignal(step(limitedSignal(timeoutMs, signal)), signal)) > 0) return
    } catch {
      // Nobody answered in time; the table may have filled since.
    }
    await sleep(RETRY_MS[Math.min(tries, RETRY_MS.length - 1)], undefined, { signal }).catch(() => {})
  }
}

function keyCid(key: string): string {
  return cidOf(new TextEncoder().encode(key))
}
