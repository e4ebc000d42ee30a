import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type AbortOptions, type Logger, type MessageStream, type MessageStreamDirection, TimeoutError } from '@libp2p/interface'
import { AbstractMultiaddrConnection, type SendResult } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Uint8ArrayList } from 'uint8arraylist'

export interface SocketConnectionInit {
  readonly socket: Socket
  readonly direction: MessageStreamDirection
  readonly remoteAddr: Multiaddr
  readonly log: Logger
  /** A socket that is silent for longer is aborted. */
  readonly idleMs: number
}

/** A libp2p connection over a socket that can be handed on, for encryption in native code. */
export class SocketConnection extends AbstractMultiaddrConnection {
  readonly #socket: Socket
  #taken = false
  readonly #onBytes = (bytes: Uint8Array): void => this.onData(bytes)

  constructor(init: SocketConnectionInit) {
    super(init)
    const socket = init.socket
    this.#socket = socket
    socket.setTimeout(init.idleMs)
    socket.on('data', this.#onBytes)
    socket.on('error', error => this.abort(error))
    socket.on('timeout', () => this.abort(new TimeoutError('the socket was silent for too long')))
    socket.on('drain', () => this.safeDispatchEvent('drain'))
    socket.on('end', () => this.onTransportClosed())
    socket.on('close', failed => {
      if (failed) this.abort(new Error('the socket failed'))
      else this.onTransportClosed()
    })
  }

  /**
   * The socket, with the bytes that arrived and nobody took. From now on the caller reads and writes it, and bytes no longer
   * pass through this connection; it still closes and aborts with the socket, and closes, resets and times it out.
   */
  takeSocket(): Socket {
    this.#taken = true
    this.#socket.off('data', this.#onBytes)
    this.#socket.pause()
    const arrived = this.readBuffer.subarray()
    this.readBuffer.consume(arrived.byteLength)
    if (arrived.byteLength > 0) this.#socket.unshift(arrived)
    this.resume()
    return this.#socket
  }

  sendData(data: Uint8ArrayList): SendResult {
    let canSendMore = true
    for (const part of data) canSendMore = this.#socket.write(part)
    return { sentBytes: data.byteLength, canSendMore }
  }

  async sendClose(options?: AbortOptions): Promise<void> {
    if (this.#socket.closed) return
    const closed = once(this.#socket, 'close', options)
    this.#socket.destroySoon()
    await closed
  }

  sendReset(): void {
    // After an end, and over a Unix socket, there is no reset to send.
    if (this.#socket.writableEnded || this.#socket.remoteAddress === undefined) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }

  sendPause(): void {
    if (!this.#taken) this.#socket.pause()
  }

  sendResume(): void {
    if (!this.#taken) this.#socket.resume()
  }
}

/** Whether a connection has a socket of its own; a relayed one has none. */
export function hasSocket(connection: MessageStream): connection is SocketConnection {
  return connection instanceof SocketConnection
}
