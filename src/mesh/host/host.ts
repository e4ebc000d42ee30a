import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { type GossipSub, gossipsub, StrictNoSign } from '@libp2p/gossipsub'
import { type Identify, identify, identifyPush } from '@libp2p/identify'
import type { PeerDiscovery, PeerInfo } from '@libp2p/interface'
import { type KadDHT, kadDHT, passthroughMapper, removePrivateAddressesMapper } from '@libp2p/kad-dht'
import { type MulticastDNSComponents, mdns } from '@libp2p/mdns'
import { type Ping, ping } from '@libp2p/ping'
import { createLibp2p, type Libp2p } from 'libp2p'
import { MotorpoolError } from '../../protocol/errors.ts'
import { capacitySelectors, capacityValidators } from '../capacity-record.ts'
import type { MeshLimits } from '../mesh-limits.ts'
import { isPublic } from './addresses.ts'
import type { ConnectionStack } from './connection-stack.ts'

export type Host = Libp2p<{ ping: Ping; dht: KadDHT; gossip: GossipSub; identify: Identify; identifyPush: unknown }>

export interface HostInit {
  readonly seed: Uint8Array
  readonly listen: readonly string[]
  readonly join: readonly string[]
  readonly mdns: boolean
  readonly dht: 'server' | 'client'
  readonly stack: ConnectionStack
  readonly limits: MeshLimits
  /** Somebody was met in the same network. */
  readonly onDiscovered: (found: PeerInfo) => void
}

export const DHT_PROTOCOL = '/motorpool/kad/1.0.0'
const MDNS_SERVICE = '_motorpool._udp.local'
const HALF_HOUR_MS = 30 * 60 * 1000

/** A started libp2p host. Throws `ERR_ADDRESS_IN_USE` when a port is taken and `ERR_INVALID_OPTION` for addresses that make no sense. */
export async function createHost(init: HostInit): Promise<Host> {
  const { limits } = init
  const host = await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', init.seed),
    addresses: { listen: [...init.listen] },
    ...init.stack,
    connectionManager: {
      maxConnections: limits.connections,
      inboundConnectionThreshold: limits.connectionsPerAddress,
      maxIncomingPendingConnections: limits.pendingConnections,
      inboundUpgradeTimeout: limits.inboundUpgradeTimeoutMs,
      dialTimeout: limits.dialTimeoutMs,
      addressDialTimeout: limits.addressDialTimeoutMs
    },
    // Without a ping in this time a connection is dead; busy machines need longer than the default 5 s.
    connectionMonitor: { pingInterval: 10_000, pingTimeout: { minTimeout: 10_000 } },
    peerDiscovery: init.mdns ? [localDiscovery(init)] : [],
    services: {
      identify: identify(),
      identifyPush: identifyPush(),
      ping: ping({ maxInboundStreams: 8, maxOutboundStreams: 8 }),
      dht: kadDHT({
        protocol: DHT_PROTOCOL,
        clientMode: init.dht === 'client',
        // The defaults put about 100 requests of one query in flight.
        alpha: 3,
        disjointPaths: 3,
        // A contact that doesn't answer its first ping in time is forgotten for good; a busy machine needs seconds.
        onPeerConnectTimeout: 30_000,
        pingNewContactTimeout: { minTimeout: 15_000 },
        querySelfInterval: HALF_HOUR_MS,
        initialQuerySelfInterval: 50,
        reprovide: { validity: limits.providerValidityMs, threshold: limits.providerRenewalMs, interval: limits.providerCheckMs },
        // In a mesh on a private net the DHT must not drop private addresses.
        peerInfoMapper: [...init.listen, ...init.join].some(isPublic) ? removePrivateAddressesMapper : passthroughMapper,
        validators: capacityValidators,
        selectors: capacitySelectors
      }),
      gossip: gossipsub({
        // Our own envelope signs; gossipsub's signature costs four times as much a message.
        globalSignaturePolicy: StrictNoSign,
        floodPublish: false,
        fallbackToFloodsub: false,
        allowPublishToZeroTopicPeers: false,
        D: 4,
        Dlo: 3,
        Dhi: 6,
        // A whole RPC, not one message: an answer to IWANT carries several, and subscriptions to 32 models take 3 KiB.
        maxInboundDataLength: 64 * 1024,
        // Cars behind one carrier NAT share an address; scoring it drops honest messages.
        scoreParams: { IPColocationFactorWeight: 0 }
      })
    }
  })
  try {
    await host.start()
  } catch (cause) {
    await Promise.resolve(host.stop()).catch(() => {})
    throw startError(cause, init.listen)
  }
  return host
}

/** mDNS by itself: libp2p's own event tells of every peer that the DHT mentions, too. */
function localDiscovery(init: HostInit): (components: MulticastDNSComponents) => PeerDiscovery {
  const create = mdns({ serviceTag: MDNS_SERVICE, interval: init.limits.mdnsIntervalMs })
  return components => {
    const discovery = create(components)
    discovery.addEventListener('peer', event => init.onDiscovered(event.detail))
    return discovery
  }
}

function startError(cause: unknown, listen: readonly string[]): MotorpoolError {
  const text = cause instanceof Error ? cause.message : String(cause)
  const taken = listen.find(address => text.includes(address) && text.includes('EADDRINUSE')) ?? (text.includes('EADDRINUSE') ? listen.join(', ') : undefined)
  if (taken !== undefined) return new MotorpoolError('ERR_ADDRESS_IN_USE', `${taken} is taken by another program; choose another port, or 0 for any`, { cause })
  return new MotorpoolError('ERR_INVALID_OPTION', `cannot listen on ${listen.join(', ')}; give multiaddrs of this machine such as /ip4/127.0.0.1/tcp/0`, {
    cause
  })
}
