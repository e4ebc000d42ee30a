import { limitedSignal } from '../with-signal.ts'
import type { Host } from './host.ts'

/** Peers to be connected to, so that losing the one that we joined through, or two at once, doesn't matter. */
const ENOUGH = 4
const FIRST_LOOKUP_MS = 1000
const LONGEST_LOOKUP_MS = 60_000

/**
 * Looks for the peers nearest to us on the DHT while we know too few. The DHT itself looks once, right after the start:
 * peers that join at the same moment would meet nobody but the one that they join through. Resolves when the signal aborts.
 */
export async function keepNeighbours(host: Host, lookupTimeoutMs: number, signal: AbortSignal): Promise<void> {
  let waitMs = FIRST_LOOKUP_MS
  let changed = Promise.withResolvers<void>()
  const onLoss = () => {
    waitMs = FIRST_LOOKUP_MS
    changed.resolve()
  }
  const onGain = () => {
    if (host.getPeers().length === 1) onLoss()
  }
  const onStop = () => changed.resolve()
  host.addEventListener('peer:disconnect', onLoss)
  host.addEventListener('peer:connect', onGain)
  signal.addEventListener('abort', onStop, { once: true })

  while (!signal.aborted) {
    const known = host.getPeers().length
    changed = Promise.withResolvers()
    // Spread out, so that peers that started together ask one after another and find each other.
    const timer = known > 0 && known < ENOUGH ? setTimeout(changed.resolve, waitMs * (0.5 + Math.random())) : undefined
    await changed.promise
    clearTimeout(timer)
    if (signal.aborted || host.getPeers().length === 0 || host.getPeers().length >= ENOUGH) continue
    const lookup = limitedSignal(Math.min(lookupTimeoutMs, LONGEST_LOOKUP_MS / 4), signal)
    // What didn't come about with a peer on the first try (a DHT contact, a gossip stream) is only tried again when it is identified.
    if (waitMs > FIRST_LOOKUP_MS)
      await Promise.allSettled(host.getConnections().map(connection => host.services.identify.identify(connection, { signal: lookup })))
    waitMs = Math.min(2 * waitMs, LONGEST_LOOKUP_MS)
    await lookUpSelf(host, lookup)
  }
  host.removeEventListener('peer:disconnect', onLoss)
  host.removeEventListener('peer:connect', onGain)
}

/** Asking peers connects to them. */
async function lookUpSelf(host: Host, signal: AbortSignal): Promise<void> {
  try {
    for await (const _ of host.services.dht.getClosestPeers(host.peerId.toMultihash().bytes, { signal })) if (signal.aborted) return
  } catch {
    // Nobody answers; the next lookup may find more.
  }
}
