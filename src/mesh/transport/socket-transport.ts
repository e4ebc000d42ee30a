import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import {
  AbortError,
  type ComponentLogger,
  type Connection,
  type DialTransportOptions,
  type OutboundConnectionUpgradeEvents,
  serviceCapabilities,
  type Transport,
  transportSymbol
} from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { isSocketAddress, socketAddress } from './socket-address.ts'
import { SocketConnection } from './socket-connection.ts'
import { SocketListener } from './socket-listener.ts'

export interface SocketTransportInit {
  /** A socket that is silent for longer is aborted. */
  readonly idleMs: number
  /** Hears of every socket, dialled or accepted. */
  readonly onSocket?: (socket: Socket) => void
}

/** TCP (and Unix sockets) like `@libp2p/tcp`, same wire and multiaddrs, whose connections can hand on their socket. */
export function socketTransport(init: SocketTransportInit): (components: { readonly logger: ComponentLogger }) => Transport {
  return ({ logger }) => {
    const filter = (addresses: Multiaddr[]): Multiaddr[] => addresses.filter(isSocketAddress)
    return {
      [transportSymbol]: true,
      [Symbol.toStringTag]: 'motorpool-socket',
      [serviceCapabilities]: ['@libp2p/transport'],
      dial: (address, options) => dial(address, options, init, logger),
      createListener: ({ upgrader }) => new SocketListener({ upgrader, logger, ...init }),
      listenFilter: filter,
      dialFilter: filter
    } satisfies Transport & { [serviceCapabilities]: string[] }
  }
}

async function dial(
  address: Multiaddr,
  options: DialTransportOptions<OutboundConnectionUpgradeEvents>,
  init: SocketTransportInit,
  logger: ComponentLogger
): Promise<Connection> {
  const { signal, upgrader } = options
  if (signal.aborted) throw new AbortError()
  const socket = connect({ ...socketAddress(address), noDelay: true, keepAlive: true })
  try {
    await once(socket, 'connect', { signal })
  } catch (cause) {
    socket.on('error', () => {})
    socket.destroy()
    if (signal.aborted) throw new AbortError()
    throw new Error(`cannot connect to ${address}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  init.onSocket?.(socket)
  const connection = new SocketConnection({
    socket,
    direction: 'outbound',
    remoteAddr: address,
    idleMs: init.idleMs,
    log: logger.forComponent('motorpool:socket')
  })
  try {
    return await upgrader.upgradeOutbound(connection, options)
  } catch (error) {
    connection.abort(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}
