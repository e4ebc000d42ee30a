import { peerIdFromString } from '@libp2p/peer-id'
import type { PeerId } from '../../protocol/ids.ts'
import type { Host } from './host.ts'

/** libp2p prunes by the sum of a peer's tags; the DHT gives its nearest contacts 52. */
const PREFERRED = 100

/** Tags peers under a name, so that pruning closes the connections to them last; a name's next list replaces its last. */
export function createPreferences(host: Host): (name: string, peers: readonly PeerId[]) => void {
  const preferred = new Map<string, ReadonlySet<PeerId>>()

  function tag(name: string, peer: PeerId, value: number | undefined): void {
    const tags = { [name]: value === undefined ? undefined : { value } }
    // A peer store that fails costs the preference, not the connection.
    host.peerStore.merge(peerIdFromString(peer), { tags }).catch(() => undefined)
  }

  return (name, peers) => {
    const before = preferred.get(name) ?? new Set()
    const now = new Set(peers)
    for (const peer of before) if (!now.has(peer)) tag(name, peer, undefined)
    for (const peer of now) if (!before.has(peer)) tag(name, peer, PREFERRED)
    if (now.size === 0) preferred.delete(name)
    else preferred.set(name, now)
  }
}
