import type { Stream } from '@libp2p/interface'
import { type ControlMessage, decodeControl, encodeControl } from '../../protocol/control.ts'
import { isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'
import { createFrameReader, frameHead } from '../../protocol/frames.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { linkClosed } from './link-closed.ts'
import { createStreamWriter } from './stream-writer.ts'

export interface ControlListener {
  onMessage: (message: ControlMessage) => void
  /** Any bytes, before they are looked at. */
  onBytes: () => void
  /** Once; `error` is undefined when the other side ended it in order. */
  onEnd: (error: MotorpoolError | undefined) => void
}

/** Control frames over a libp2p stream that is never paused. */
export interface ControlStream {
  /** Whom to tell; what arrived earlier is told first. */
  listener: ControlListener
  /** Throws `ERR_TOO_LARGE` above `LIMITS.controlFrame`, and ends the stream when too much lies unsent. */
  send: (message: ControlMessage) => void
  /** Whether the connection has taken all that was sent. */
  readonly sent: boolean
  close: () => Promise<void>
  abort: (error: Error) => void
}

export function createControlStream(stream: Stream, listener: ControlListener, unsentLimitBytes: number): ControlStream {
  const writer = createStreamWriter(stream)
  let ended = false

  const end = (error: MotorpoolError | undefined) => {
    if (ended) return
    ended = true
    if (error !== undefined) stream.abort(error)
    control.listener.onEnd(error)
  }
  const read = createFrameReader({
    limit: LIMITS.controlFrame,
    onFrame: parts => {
      if (!ended) control.listener.onMessage(decodeControl(joined(parts)))
    }
  })
  const control: ControlStream = {
    listener,
    send: message => {
      const frame = encodeControl(message)
      if (frame.byteLength > LIMITS.controlFrame) {
        throw new MotorpoolError(
          'ERR_TOO_LARGE',
          `a ${message.type} message has ${frame.byteLength} bytes, at most ${LIMITS.controlFrame} are allowed; send less`
        )
      }
      if (writer.unsentBytes > unsentLimitBytes) {
        end(linkClosed('the other side does not read its control stream'))
        return
      }
      writer.write(frameHead(frame.byteLength))
      writer.write(frame)
    },
    get sent() {
      return writer.unsentBytes === 0
    },
    close: async () => {
      ended = true
      // What was sent in this tick still waits in the writer.
      await writer.untilReady().catch(() => {})
      if (stream.status === 'open') await stream.close({ signal: AbortSignal.timeout(1000) }).catch(error => stream.abort(error))
    },
    abort: error => {
      ended = true
      stream.abort(error)
    }
  }
  stream.addEventListener('message', ({ data }) => {
    if (ended) return
    control.listener.onBytes()
    try {
      for (const chunk of data instanceof Uint8Array ? [data] : data) read(chunk)
    } catch (error) {
      end(isMotorpoolError(error) ? error : linkClosed('a handler of this link failed', error))
    }
  })
  stream.addEventListener('remoteCloseWrite', () => end(undefined))
  stream.addEventListener('close', event => end(event.error === undefined ? undefined : linkClosed('the other side ended the link', event.error)))
  return control
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
}
