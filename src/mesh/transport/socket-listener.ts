import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { type AbortOptions, type ComponentLogger, type Listener, type ListenerEvents, TypedEventEmitter, type Upgrader } from '@libp2p/interface'
import { getThinWaistAddresses, ipPortToMultiaddr } from '@libp2p/utils'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { socketAddress, unixPath } from './socket-address.ts'
import { SocketConnection } from './socket-connection.ts'

export interface SocketListenerInit {
  readonly upgrader: Upgrader
  readonly logger: ComponentLogger
  readonly idleMs: number
  readonly onSocket?: (socket: Socket) => void
}

/** Accepts sockets on one address and hands them to libp2p, which refuses what is above its limits. */
export class SocketListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #init: SocketListenerInit
  readonly #server: Server
  readonly #connections = new Set<SocketConnection>()
  readonly #closing = new AbortController()
  #address: Multiaddr | undefined

  constructor(init: SocketListenerInit) {
    super()
    this.#init = init
    this.#server = createServer({ noDelay: true, keepAlive: true }, socket => this.#accept(socket))
    this.#server.on('listening', () => this.safeDispatchEvent('listening'))
    this.#server.on('error', error => this.safeDispatchEvent('error', { detail: error }))
    this.#server.on('close', () => this.safeDispatchEvent('close'))
  }

  async listen(address: Multiaddr): Promise<void> {
    this.#address = address
    const listening = once(this.#server, 'listening')
    this.#server.listen(socketAddress(address))
    await listening
  }

  getAddrs(): Multiaddr[] {
    const bound = this.#server.address()
    if (bound === null || this.#address === undefined) return []
    return typeof bound === 'string' ? [multiaddr(`/unix/${encodeURIComponent(bound)}`)] : getThinWaistAddresses(this.#address, bound.port)
  }

  updateAnnounceAddrs(): void {}

  /** Ends what it accepted, too. */
  async close(options?: AbortOptions): Promise<void> {
    this.#closing.abort()
    const closed = this.#server.listening ? once(this.#server, 'close', options) : undefined
    this.#server.close()
    for (const connection of this.#connections) connection.destroy()
    await closed
  }

  #accept(socket: Socket): void {
    const remoteAddr = this.#remoteOf(socket)
    // Undefined when the other side is gone already.
    if (remoteAddr === undefined) {
      socket.destroy()
      return
    }
    const { logger, idleMs, upgrader, onSocket } = this.#init
    onSocket?.(socket)
    const log = logger.forComponent('motorpool:socket')
    const connection = new SocketConnection({ socket, direction: 'inbound', remoteAddr, idleMs, log })
    this.#connections.add(connection)
    socket.once('close', () => this.#connections.delete(connection))
    upgrader.upgradeInbound(connection, { signal: this.#closing.signal }).catch(error => connection.abort(error))
  }

  #remoteOf({ remoteAddress, remotePort }: Socket): Multiaddr | undefined {
    if (this.#address !== undefined && unixPath(this.#address) !== undefined) return this.#address
    return remoteAddress === undefined || remotePort === undefined ? undefined : ipPortToMultiaddr(remoteAddress, remotePort)
  }
}
