import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import type { AbortOptions } from '@libp2p/interface'
import { AbstractMessageStream, type SendResult } from '@libp2p/utils'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { SocketConnection } from './socket-connection.ts'

/** What libp2p reads and writes after the handshake. All that is sent in one turn of the event loop goes out in one write. */
export class TlsConnection extends AbstractMessageStream {
  readonly #socket: TLSSocket
  readonly #transport: SocketConnection
  #corked = false
  readonly #release = (): void => {
    this.#corked = false
    this.#socket.uncork()
  }

  constructor(transport: SocketConnection, socket: TLSSocket) {
    super({
      log: transport.log,
      inactivityTimeout: transport.inactivityTimeout,
      maxReadBufferLength: transport.maxReadBufferLength,
      direction: transport.direction
    })
    this.#socket = socket
    this.#transport = transport
    socket.on('data', bytes => this.onData(bytes))
    socket.on('error', error => transport.abort(error))
    socket.on('drain', () => this.safeDispatchEvent('drain'))
    socket.on('close', () => {
      transport.close().catch(error => transport.abort(error))
    })
    transport.addEventListener('close', ({ error, local }) => {
      socket.destroy()
      if (error === undefined) this.onTransportClosed()
      else if (local === true) this.abort(error)
      else this.onRemoteReset()
    })
  }

  sendData(data: Uint8ArrayList): SendResult {
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
      // Results, receipts and window updates come of promises that settle in this turn: they go along.
      setImmediate(this.#release)
    }
    let canSendMore = true
    for (const part of data) canSendMore = this.#socket.write(part)
    return { sentBytes: data.byteLength, canSendMore }
  }

  async close(options?: AbortOptions): Promise<void> {
    if (this.#socket.closed) return
    const closed = once(this.#socket, 'close', options)
    // What waits for the socket to drain would be lost.
    for (const part of this.writeBuffer) this.#socket.write(part)
    this.writeBuffer.consume(this.writeBuffer.byteLength)
    this.#socket.destroySoon()
    await closed
  }

  sendReset(error: Error): void {
    this.#transport.abort(error)
  }

  sendPause(): void {
    this.#socket.pause()
  }

  sendResume(): void {
    this.#socket.resume()
  }
}
