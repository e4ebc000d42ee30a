import { multiaddr } from '@multiformats/multiaddr'
import type { PeerId } from '../../protocol/ids.ts'
import { limitedSignal } from '../with-signal.ts'
import { foundPeer } from './addresses.ts'
import type { Host } from './host.ts'

const FIRST_RETRY_MS = 250
const LONGEST_RETRY_MS = 15_000
/** Peers of earlier to try when everybody is gone. */
const REMEMBERED_PEERS = 8

/**
 * Gets into the mesh through any of `join`, and in again whenever the last connection is lost: then also through peers
 * met before. While anybody is connected a dead join peer doesn't matter. Resolves when the signal aborts.
 */
export async function keepJoined(host: Host, join: readonly string[], dialTimeoutMs: number, signal: AbortSignal): Promise<void> {
  let alone = Promise.withResolvers<void>()
  const onDisconnect = () => {
    if (host.getConnections().length === 0) alone.resolve()
  }
  host.addEventListener('peer:disconnect', onDisconnect)
  const onStop = () => alone.resolve()
  signal.addEventListener('abort', onStop, { once: true })
  const isAlone = () => host.getConnections().length === 0

  let retryMs = FIRST_RETRY_MS
  let remembered: string[] = []
  while (!signal.aborted) {
    alone = Promise.withResolvers()
    const targets = [...join, ...remembered]
    await Promise.allSettled(targets.map(target => host.dial(multiaddr(target), { signal: limitedSignal(dialTimeoutMs, signal) })))
    if (signal.aborted) break
    if (isAlone()) {
      // Spread out, so that peers that lost the same one don't come back at the same moment.
      const timer = setTimeout(alone.resolve, retryMs * (0.5 + Math.random()))
      retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS)
      await alone.promise
      clearTimeout(timer)
    } else {
      retryMs = FIRST_RETRY_MS
      await alone.promise
    }
    remembered = signal.aborted ? [] : await addressesMet(host)
  }
  host.removeEventListener('peer:disconnect', onDisconnect)
}

async function addressesMet(host: Host): Promise<string[]> {
  const peers = await host.peerStore.all({ limit: REMEMBERED_PEERS }).catch(() => [])
  return peers
    .filter(peer => !peer.id.equals(host.peerId))
    .flatMap(peer =>
      foundPeer(
        peer.id.toString() as PeerId,
        peer.addresses.map(address => address.multiaddr)
      ).addresses.slice(0, 1)
    )
}
