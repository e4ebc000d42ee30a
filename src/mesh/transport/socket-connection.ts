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
  /** What reads and writes the socket. Once that is TLS, only its end may end the socket: Node crashes when it goes away below. */
  #top: Socket
  readonly #onBytes = (bytes: Uint8Array): void => this.onData(bytes)

  constructor(init: SocketConnectionInit) {
    super(init)
    const socket = init.socket
    this.#socket = socket
    this.#top = socket
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
   * Lets something else read and write the socket, beginning with the bytes that arrived and nobody took. They no longer pass
   * through this connection; it still ends with the socket, and ends and times out the socket.
   */
  handOn<Top extends Socket>(wrap: (socket: Socket) => Top): Top {
    this.#socket.off('data', this.#onBytes)
    this.#socket.pause()
    const arrived = this.readBuffer.subarray()
    this.readBuffer.consume(arrived.byteLength)
    if (arrived.byteLength > 0) this.#socket.unshift(arrived)
    const top = wrap(this.#socket)
    this.#top = top
    this.resume()
    return top
  }

  /** Ends it without a word. */
  destroy(): void {
    this.#top.destroy()
  }

  sendData(data: Uint8ArrayList): SendResult {
    let canSendMore = true
    for (const part of data) canSendMore = this.#socket.write(part)
    return { sentBytes: data.byteLength, canSendMore }
  }

  async sendClose(options?: AbortOptions): Promise<void> {
    if (this.#socket.closed) return
    const closed = once(this.#socket, 'close', options)
    this.#top.destroySoon()
    await closed
  }

  sendReset(): void {
    const socket = this.#socket
    // There is no reset to send through TLS, after an end, and over a Unix socket.
    if (this.#top !== socket || socket.writableEnded || socket.remoteAddress === undefined) this.destroy()
    else socket.resetAndDestroy()
  }

  sendPause(): void {
    if (this.#top === this.#socket) this.#socket.pause()
  }

  sendResume(): void {
    if (this.#top === this.#socket) this.#socket.resume()
  }
}

/** Whether a connection has a socket of its own; a relayed one has none. */
export function hasSocket(connection: MessageStream): connection is SocketConnection {
  return connection instanceof SocketConnection
}
