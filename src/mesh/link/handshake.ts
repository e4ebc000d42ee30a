import type { Stream } from '@libp2p/interface'
import type { Hello } from '../../protocol/control.ts'
import { MotorpoolError } from '../../protocol/errors.ts'
import type { MeshLimits } from '../mesh-limits.ts'
import { type ControlStream, createControlStream } from './control-stream.ts'
import { linkClosed } from './link-closed.ts'

export interface HandshakeInit {
  readonly stream: Stream
  readonly ownHello: Hello
  readonly limits: MeshLimits
  /** The other side's hello is here; what follows it on the stream goes to the listener that this sets. */
  readonly onHello: (hello: Hello, control: ControlStream) => void
  /** `garbage`: the other side sent something else. */
  readonly onFail: (error: MotorpoolError, garbage: boolean) => void
}

/** Says hello and waits for the other side's; anything else first, or nothing in time, ends the stream. */
export function startHandshake(init: HandshakeInit): void {
  const { stream, ownHello, limits } = init
  let over = false
  const fail = (error: MotorpoolError, garbage: boolean) => {
    if (over) return
    over = true
    clearTimeout(timer)
    stream.abort(error)
    init.onFail(error, garbage)
  }
  const timer = setTimeout(() => fail(linkClosed(`no hello came within ${limits.helloTimeoutMs} ms`), false), limits.helloTimeoutMs)
  const control = createControlStream(
    stream,
    {
      onBytes: () => {},
      onMessage: message => {
        if (over) return
        if (message.type !== 'hello') {
          fail(new MotorpoolError('ERR_SCHEMA', `the first message is ${message.type}, not hello; say hello first`), true)
          return
        }
        over = true
        clearTimeout(timer)
        init.onHello(message, control)
      },
      onEnd: error => fail(error ?? linkClosed('the other side ended the stream'), error !== undefined && error.code !== 'ERR_LINK_CLOSED')
    },
    limits.unsentControlBytes
  )
  control.send(ownHello)
}
