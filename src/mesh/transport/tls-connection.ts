import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import type { AbortOptions } from '@libp2p/interface'
import { AbstractMessageStream, type SendResult } from '@libp2p/utils'
import { Uint8ArrayList } from 'uint8arraylist'
import type { SocketConnection } from './socket-connection.ts'

/** A full record (RFC 8446 §5.1): most likely more follows. */
const RECORD_BYTES = 2 ** 14
/** More than this is handed on at once, so that a reader who pauses is heard in time. */
const MOST_GATHERED_BYTES = 256 * 1024
/** So long may a window update wait for other bytes to go along with, ms. */
const HELD_MS = 25
/** What updates that wait may give room for, all together: a quarter of a stream's window, so that no sender stops for them. */
const MOST_HELD_BYTES = 64 * 1024

/**
 * What libp2p reads and writes after the handshake. All that is sent in one turn of the event loop goes out in one write, and full
 * records that arrived in one are handed on as one: each by itself would pass through every layer above. The muxer answers each
 * message with a window update; those of small ones wait a little for the next bytes, or they would be every second write.
 */
export class TlsConnection extends AbstractMessageStream {
  readonly #socket: TLSSocket
  readonly #transport: SocketConnection
  #corked = false
  #releasing = false
  /** What the window updates that wait give room for. */
  #heldBytes = 0
  #held: NodeJS.Timeout | undefined
  readonly #release = (): void => {
    clearTimeout(this.#held)
    this.#held = undefined
    this.#heldBytes = 0
    this.#corked = this.#releasing = false
    this.#socket.uncork()
  }

  #arrived: Uint8ArrayList | undefined
  readonly #deliver = (): void => {
    const bytes = this.#arrived
    if (bytes === undefined) return
    this.#arrived = undefined
    this.onData(bytes)
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
    socket.on('data', bytes => {
      const isFull = bytes.byteLength === RECORD_BYTES
      if (this.#arrived === undefined) {
        if (!isFull) return this.onData(bytes)
        this.#arrived = new Uint8ArrayList()
        setImmediate(this.#deliver)
      }
      this.#arrived.append(bytes)
      if (!isFull || this.#arrived.byteLength > MOST_GATHERED_BYTES) this.#deliver()
    })
    socket.on('error', error => transport.abort(error))
    socket.on('drain', () => this.safeDispatchEvent('drain'))
    socket.on('close', () => {
      this.#deliver()
      transport.close().catch(error => transport.abort(error))
    })
    transport.addEventListener('close', ({ error, local }) => {
      socket.destroy()
      this.#deliver()
      if (error === undefined) this.onTransportClosed()
      else if (local === true) this.abort(error)
      else this.onRemoteReset()
    })
  }

  sendData(data: Uint8ArrayList): SendResult {
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
    }
    const windowBytes = windowUpdateOf(data)
    this.#heldBytes += windowBytes
    if (windowBytes > 0 && this.#heldBytes < MOST_HELD_BYTES) {
      this.#held ??= setTimeout(this.#release, HELD_MS)
    } else if (!this.#releasing) {
      this.#releasing = true
      // After the promises that settle in this turn, whose sends go along; later, and both ends would wait for each other's turns.
      process.nextTick(() => queueMicrotask(() => process.nextTick(this.#release)))
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

/** What a yamux frame gives a stream room for, if it does nothing else; 0 for all other bytes (https://github.com/hashicorp/yamux/blob/master/spec.md). */
function windowUpdateOf(data: Uint8ArrayList): number {
  if (data.byteLength !== 12) return 0
  const isUpdate = data.getUint32(0) === 0x00_01_00_00
  return isUpdate ? data.getUint32(8) : 0
}
