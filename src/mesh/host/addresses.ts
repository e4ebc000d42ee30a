import { CODE_P2P, type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { MotorpoolError } from '../../protocol/errors.ts'
import type { PeerId } from '../../protocol/ids.ts'
import type { FoundPeer } from '../mesh.ts'

/** Throws `ERR_INVALID_OPTION` for text that is no multiaddr. */
export function parseAddress(address: string): Multiaddr {
  try {
    return multiaddr(address)
  } catch (cause) {
    throw new MotorpoolError('ERR_INVALID_OPTION', `${address} is not a multiaddr; give one like /ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…`, { cause })
  }
}

/** What others say of a peer's addresses, in text or binary, with its `/p2p/…`; what is no multiaddr is left out. */
export function addressesOf(peer: PeerId, addresses: readonly (string | Uint8Array)[]): Multiaddr[] {
  const own: Multiaddr[] = []
  for (const address of addresses) {
    try {
      own.push(withPeer(multiaddr(address), peer))
    } catch {
      // It comes from somebody else; the others may do.
    }
  }
  return own
}

/** With `/p2p/…`, so that whoever dials it checks whom they reach. */
export function withPeer(address: Multiaddr, peer: PeerId): Multiaddr {
  return address.getComponents().at(-1)?.value === peer ? address : address.encapsulate(`/p2p/${peer}`)
}

export function foundPeer(peer: PeerId, addresses: readonly Multiaddr[]): FoundPeer {
  return { peer, addresses: [...new Set(addresses.map(address => withPeer(address, peer).toString()))] }
}

/** At most two of our own as bytes without our `/p2p/…`: public before private before loopback. */
export function dialableBytes(addresses: readonly Multiaddr[]): Uint8Array[] {
  return addresses
    .toSorted((left, right) => reach(left) - reach(right))
    .slice(0, 2)
    .map(address => (address.getComponents().at(-1)?.code === CODE_P2P ? address.decapsulateCode(CODE_P2P) : address).bytes)
}

function reach(address: Multiaddr): number {
  const text = address.toString()
  if (/^\/ip4\/127\.|^\/ip6\/::1\//.test(text)) return 2
  return isPublic(text) ? 0 : 1
}

/** Neither loopback, link-local, a private network (RFC 1918, RFC 4193) nor a wildcard, which says nothing. */
export function isPublic(address: string): boolean {
  return !/^\/ip4\/(0\.0\.0\.0\/|(127|10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))\.)|^\/ip6\/(::1?\/|f[cd]|fe80)|^\/unix\//.test(address)
}
