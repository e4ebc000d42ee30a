import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import { type AbortOptions, StreamMessageEvent } from '@libp2p/interface'
import { AbstractMessageStream, type SendResult } from '@libp2p/utils'
import { Uint8ArrayList } from 'uint8arraylist'
import type { SocketConnection } from './socket-connection.ts'

/** A full record (RFC 8446 §5.1): most likely more follows. */
const RECORD_BYTES = 2 ** 14
/** More than this is handed on at once, so that a reader who pauses is heard in time. */
const MOST_GATHERED_BYTES = 256 * 1024
/**
 * Window updates of a stream wait for other bytes to go along with, until they give room for so much: half of its window, as in
 * yamux's own implementation, so that no sender stops for them.
 */
const MOST_HELD_BYTES = 128 * 1024

/**
 * What libp2p reads and writes after the handshake. All that is sent in one turn of the event loop goes out in one write, and full
 * records that arrived in one are handed on as one: each by itself would pass through every layer above. The muxer answers each
 * message with a window update; those of small ones wait for the next bytes, or they would be every second write.
 */
export class TlsConnection extends AbstractMessageStream {
  readonly #socket: TLSSocket
  readonly #transport: SocketConnection
  #corked = false
  #releasing = false
  /** What the window updates that wait give room for, by stream. */
  readonly #heldBytes = new Map<number, number>()
  #updating: NodeJS.Immediate | undefined
  readonly #release = (): void => {
    this.#heldBytes.clear()
    this.#corked = this.#releasing = false
    this.#socket.uncork()
  }
  /** Updates that the other side may wait for go once all that has arrived was read; what is answered then goes along. */
  readonly #releaseUpdates = (): void => {
    this.#updating = undefined
    if (this.#heldBytes.size > 0 && !this.#releasing) this.#release()
  }
  /** After the promises that settle in this turn, whose sends go along; later, and both ends would wait for each other's turns. */
  readonly #releaseSoon = (): void => queueMicrotask(() => process.nextTick(this.#release))

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

  /** Like the base class, but without copies of the lists while the socket takes what it is given. */
  override send(data: Uint8Array | Uint8ArrayList): boolean {
    if (this.writeStatus !== 'writable' || this.sendingData || this.writableNeedsDrain || this.writeBufferLength > 0) return super.send(data)
    const canSendMore = this.#write(data)
    if (!canSendMore) this.writableNeedsDrain = true
    return canSendMore
  }

  override onData(data: Uint8Array | Uint8ArrayList): void {
    const isHeard = this.readStatus === 'readable' && this.remoteWriteStatus === 'writable' && this.listenerCount('message') > 0
    if (isHeard && this.readBufferLength === 0) this.dispatchEvent(new StreamMessageEvent(data))
    else super.onData(data)
  }

  sendData(data: Uint8ArrayList): SendResult {
    return { sentBytes: data.byteLength, canSendMore: this.#write(data) }
  }

  #write(data: Uint8Array | Uint8ArrayList): boolean {
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
    }
    const updated = this.#heldFor(data)
    if (updated > 0) {
      if (updated >= MOST_HELD_BYTES) this.#updating ??= setImmediate(this.#releaseUpdates)
    } else if (!this.#releasing) {
      this.#releasing = true
      process.nextTick(this.#releaseSoon)
    }
    if (data instanceof Uint8Array) return this.#socket.write(data)
    let canSendMore = true
    for (const part of data) canSendMore = this.#socket.write(part)
    return canSendMore
  }

  /** What the updates of a stream that wait give room for with this one; 0 for other bytes. */
  #heldFor(data: Uint8Array | Uint8ArrayList): number {
    const update = windowUpdateOf(data)
    if (update === undefined) return 0
    const heldBytes = (this.#heldBytes.get(update.stream) ?? 0) + update.bytes
    this.#heldBytes.set(update.stream, heldBytes)
    return heldBytes
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

/** The stream that a yamux frame gives room, if it does nothing else, and how much (https://github.com/hashicorp/yamux/blob/master/spec.md). */
function windowUpdateOf(data: Uint8Array | Uint8ArrayList): { readonly stream: number; readonly bytes: number } | undefined {
  if (data.byteLength !== 12) return undefined
  const frame = data instanceof Uint8Array ? data : data.subarray()
  if (frame[0] !== 0 || frame[1] !== 1 || frame[2] !== 0 || frame[3] !== 0) return undefined
  const view = new DataView(frame.buffer, frame.byteOffset)
  return { stream: view.getUint32(4), bytes: view.getUint32(8) }
}
