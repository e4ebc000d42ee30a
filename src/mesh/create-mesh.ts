import { setMaxListeners } from 'node:events'
import type { PeerInfo } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Hello } from '../protocol/control.ts'
import { MotorpoolError, throwIfAborted } from '../protocol/errors.ts'
import type { ModelCid, PeerId } from '../protocol/ids.ts'
import { signerFromSeed } from '../protocol/signer.ts'
import { openAdverts } from './adverts.ts'
import { createBlockExchange } from './block-exchange.ts'
import { addressesOf, dialableBytes, foundPeer, parseAddress } from './host/addresses.ts'
import { type ConnectionStack, connectionStack } from './host/connection-stack.ts'
import { dialPeer, reach } from './host/dialer.ts'
import { createHost } from './host/host.ts'
import { keepJoined } from './host/joiner.ts'
import { keepNeighbours } from './host/neighbours.ts'
import { leaveSmallHeapAlone } from './host/small-heap.ts'
import { type Links, openLinks } from './link/links.ts'
import type { LinkHandlers, Mesh } from './mesh.ts'
import { MESH_LIMITS, type MeshLimits } from './mesh-limits.ts'
import { openTopics, type TopicVerdict } from './topics.ts'
import { createTraffic } from './transport/traffic.ts'
import { limitedSignal } from './with-signal.ts'

export interface MeshInit {
  /** 32 secret bytes of the peer key. */
  readonly seed: Uint8Array
  /** Multiaddrs to listen on; none: dials only. */
  readonly listen: readonly string[]
  /** Multiaddrs of peers to get in through, tried in the background. */
  readonly join: readonly string[]
  /** Finds peers in the same network. */
  readonly mdns: boolean
  /** `server` answers DHT queries; only for peers that can be dialled. */
  readonly dht: 'server' | 'client'
  /** Our hello, asked for once for each link. */
  readonly hello: () => Hello
  readonly handlers: LinkHandlers
  /** What others may fetch from this peer; undefined for what it doesn't have. @default nothing */
  readonly readBlock?: (cid: ModelCid) => Promise<Uint8Array | undefined>
  /** Whether a gossiped message is heard and forwarded; `reject` also counts against who sent it. */
  readonly validate: (topic: string, message: Uint8Array) => TopicVerdict
  readonly limits?: Partial<MeshLimits>
  /** @default TCP; TLS, then noise; yamux */
  readonly stack?: ConnectionStack
}

/** A mesh with what only its owner and tests look at. */
export interface HostedMesh extends Mesh {
  /** Links and streams that were ended for breaking the protocol. */
  readonly refused: () => number
}

/**
 * Starts a libp2p host and joins the mesh in the background. Errors: `ERR_ADDRESS_IN_USE`, `ERR_INVALID_OPTION` for
 * addresses that make no sense.
 */
export async function createMesh(init: MeshInit): Promise<HostedMesh> {
  leaveSmallHeapAlone()
  const limits: MeshLimits = { ...MESH_LIMITS, ...init.limits }
  for (const address of [...init.listen, ...init.join]) parseAddress(address)
  const stopping = new AbortController()
  const traffic = createTraffic()
  // Everything under way listens to it.
  setMaxListeners(0, stopping.signal)
  let meet: ((found: PeerInfo) => void) | undefined
  const host = await createHost({
    ...init,
    limits,
    stack: init.stack ?? connectionStack(traffic.watch),
    onDiscovered: found => meet?.(found)
  })
  const blocks = createBlockExchange({ read: init.readBlock ?? (async () => undefined), links: () => links.list() })
  const links: Links = await openLinks({
    host,
    hello: init.hello,
    handlers: {
      ...init.handlers,
      onTransfer: (link, head, body) => {
        if (!blocks.receive(link, head, body)) init.handlers.onTransfer(link, head, body)
      }
    },
    limits,
    signal: stopping.signal,
    dial: (peer, options) => dialPeer(host, peer, options)
  })
  const topics = openTopics(host, init.validate, stopping.signal)
  const adverts = openAdverts(host, limits, stopping.signal)
  const joined = [keepJoined(host, init.join, limits.dialTimeoutMs, stopping.signal), keepNeighbours(host, limits.lookupTimeoutMs, stopping.signal)]
  meet = found => {
    if (stopping.signal.aborted || host.getConnections(found.id).length > 0) return
    host
      .dial(
        addressesOf(
          found.id.toString() as PeerId,
          found.multiaddrs.map(address => address.bytes)
        ),
        { signal: limitedSignal(limits.dialTimeoutMs, stopping.signal) }
      )
      .catch(() => {})
  }
  let stopped: Promise<void> | undefined

  const stop = async () => {
    stopping.abort(stoppedError())
    await links.stop()
    await Promise.all([...joined, adverts.stop()])
    await host.stop()
  }
  return {
    ...topics,
    ...adverts,
    peerId: host.peerId.toString() as PeerId,
    signer: signerFromSeed(init.seed),
    addresses: () => foundPeer(host.peerId.toString() as PeerId, host.getMultiaddrs()).addresses,
    dialableAddresses: () => dialableBytes(host.getMultiaddrs()),
    connect: async (address, options = {}) => {
      const target = parseAddress(address)
      const connection = await reach(
        host.dial(target, { signal: limitedSignal(limits.dialTimeoutMs, options.signal, stopping.signal) }),
        address,
        options.signal
      )
      return connection.remotePeer.toString() as PeerId
    },
    link: async (peer, options = {}) => {
      throwIfAborted(stopping.signal)
      throwIfAborted(options.signal)
      return links.link(peer, options)
    },
    links: links.list,
    fetchBlock: blocks.fetch,
    transferredBytes: traffic.bytes,
    refused: links.refused,
    connections: () => {
      const byPeer = new Map<PeerId, Multiaddr[]>()
      for (const connection of host.getConnections()) {
        const peer = connection.remotePeer.toString() as PeerId
        byPeer.set(peer, [...(byPeer.get(peer) ?? []), connection.remoteAddr])
      }
      return [...byPeer].map(([peer, addresses]) => foundPeer(peer, addresses))
    },
    ping: async (peer, options = {}) =>
      reach(
        host.services.ping.ping(peerIdFromString(peer), { signal: limitedSignal(limits.dialTimeoutMs, options.signal, stopping.signal) }),
        peer,
        options.signal
      ),
    stop: () => {
      stopped ??= stop()
      return stopped
    }
  }
}

function stoppedError(): MotorpoolError {
  return new MotorpoolError('ERR_STOPPED', 'the mesh is stopped; start a new one')
}
