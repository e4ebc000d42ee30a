import type { Connection, Stream } from '@libp2p/interface'
import type { Hello } from '../../protocol/control.ts'
import { MotorpoolError } from '../../protocol/errors.ts'
import type { PeerId } from '../../protocol/ids.ts'
import type { DialOptions } from '../host/dialer.ts'
import type { Host } from '../host/host.ts'
import type { Link, LinkHandlers, SignalOption } from '../mesh.ts'
import type { MeshLimits } from '../mesh-limits.ts'
import { limitedSignal, withSignal } from '../with-signal.ts'
import { createAwakeClock } from './awake-clock.ts'
import type { ControlStream } from './control-stream.ts'
import { startHandshake } from './handshake.ts'
import { linkClosed } from './link-closed.ts'
import { BULK_PROTOCOL, createOpenLink, type OpenLink } from './open-link.ts'

export const CONTROL_PROTOCOL = '/motorpool/control/1'

export interface LinksInit {
  readonly host: Host
  readonly hello: () => Hello
  readonly handlers: LinkHandlers
  readonly limits: MeshLimits
  readonly signal: AbortSignal
  readonly dial: (peer: PeerId, options: DialOptions) => Promise<Connection>
}

export interface Links {
  link: (peer: PeerId, options?: SignalOption & Pick<DialOptions, 'addresses'>) => Promise<Link>
  list: () => readonly Link[]
  /** Streams and links ended for broken rules: garbage, something before hello. */
  refused: () => number
  stop: () => Promise<void>
}

/** Our own try to open a link, shared by all who ask for it. */
interface Attempt {
  readonly peer: PeerId
  readonly result: PromiseWithResolvers<Link>
  /** Our control stream, from when it is asked for. */
  asked: boolean
  stream: Stream | undefined
  /** The other side's stream won. */
  superseded: boolean
}

/**
 * One link to each peer. When both sides open a control stream at once, the one opened by the lower peer id survives:
 * its opener refuses the other, and the other gives up its own.
 */
export async function openLinks(init: LinksInit): Promise<Links> {
  const { host, limits } = init
  const self = host.peerId.toString()
  const clock = createAwakeClock(limits.beatIntervalMs)
  const open = new Map<PeerId, OpenLink>()
  const attempts = new Map<PeerId, Attempt>()
  let refused = 0

  let ticker: NodeJS.Timeout | undefined
  const stopTicking = () => {
    clearInterval(ticker)
    ticker = undefined
  }
  /** Only while there are links: a car without clients sleeps through. */
  const keepTicking = () => {
    if (ticker !== undefined) return
    clock.tick()
    ticker = setInterval(() => {
      clock.tick()
      for (const link of open.values()) link.tick()
      if (open.size === 0) stopTicking()
    }, limits.beatIntervalMs)
  }

  const keepConnection = (peer: Connection['remotePeer'], keep: boolean) => {
    host.peerStore.merge(peer, { tags: { 'motorpool-link': keep ? { value: 50 } : undefined } }).catch(() => {})
  }
  const establish = (connection: Connection, control: ControlStream, hello: Hello, ownHello: Hello) => {
    const remote = connection.remotePeer.toString() as PeerId
    const previous = open.get(remote)
    keepTicking()
    const link = createOpenLink({
      remote,
      hello,
      ownHello,
      connection,
      control,
      handlers: init.handlers,
      limits,
      clock,
      onClose: (closed, error) => {
        if (error !== undefined && error.code !== 'ERR_LINK_CLOSED') refused++
        if (open.get(remote) !== closed) return
        open.delete(remote)
        keepConnection(connection.remotePeer, false)
      }
    })
    open.set(remote, link)
    keepConnection(connection.remotePeer, true)
    previous?.close(linkClosed('the other side opened a newer link'))
    const attempt = attempts.get(remote)
    if (attempt === undefined) return
    attempts.delete(remote)
    attempt.result.resolve(link)
  }
  const failAttempt = (attempt: Attempt | undefined, cause: unknown) => {
    if (attempt === undefined || attempts.get(attempt.peer) !== attempt) return
    attempts.delete(attempt.peer)
    attempt.result.reject(
      new MotorpoolError('ERR_PEER_UNREACHABLE', `no link to ${attempt.peer}; try another peer or come back later`, { cause, retryable: true })
    )
  }
  const greet = (stream: Stream, connection: Connection, onFail: (error: MotorpoolError) => void) => {
    const ownHello = init.hello()
    startHandshake({
      stream,
      ownHello,
      limits,
      onHello: (hello, control) => establish(connection, control, hello, ownHello),
      onFail: (error, garbage) => {
        if (garbage) refused++
        onFail(error)
      }
    })
  }

  const onControl = async (stream: Stream, connection: Connection) => {
    const remote = connection.remotePeer.toString() as PeerId
    const existing = open.get(remote)
    if (existing !== undefined) {
      // Either the other side gave this one up and its reset is on the way, or it lost the link that we still hold.
      const closing = Promise.withResolvers<void>()
      const timer = setTimeout(closing.resolve, 3 * limits.beatIntervalMs)
      stream.addEventListener('close', () => closing.resolve(), { once: true })
      await Promise.race([existing.whenClosed, closing.promise])
      clearTimeout(timer)
    }
    if (stream.status !== 'open') return
    const attempt = attempts.get(remote)
    if (init.signal.aborted || (attempt?.asked === true && self < remote)) {
      stream.abort(linkClosed('this side opened the link first'))
      return
    }
    if (attempt !== undefined) {
      attempt.superseded = true
      attempt.stream?.abort(linkClosed('the other side opened this link first'))
    }
    greet(stream, connection, error => {
      if (attempt !== undefined) failAttempt(attempt, error)
    })
  }
  const onBulk = (stream: Stream, connection: Connection) => {
    const link = open.get(connection.remotePeer.toString() as PeerId)
    if (link !== undefined) {
      link.attachBulk(stream)
      return
    }
    refused++
    stream.abort(linkClosed('no hello was said'))
  }

  const openControl = async (attempt: Attempt, addresses: DialOptions['addresses'], fresh: boolean) => {
    const signal = limitedSignal(limits.dialTimeoutMs, init.signal)
    const connection = await init.dial(attempt.peer, { addresses, signal, fresh })
    if (attempts.get(attempt.peer) !== attempt || attempt.superseded) return
    attempt.asked = true
    let stream: Stream
    try {
      stream = await connection.newStream([CONTROL_PROTOCOL], { signal, runOnLimitedConnection: true })
    } catch (error) {
      attempt.asked = false
      const silent = !(error instanceof Error && error.name === 'UnsupportedProtocolError')
      if (!silent || fresh || init.signal.aborted) throw error
      // A connection that answers nobody is half-open; a new one may work.
      connection.abort(linkClosed('a connection did not answer', error))
      return openControl(attempt, addresses, true)
    }
    attempt.stream = stream
    if (attempt.superseded || attempts.get(attempt.peer) !== attempt) {
      stream.abort(linkClosed('the other side opened this link first'))
      return
    }
    greet(stream, connection, error => {
      if (attempt.superseded) return
      if (self < attempt.peer) {
        failAttempt(attempt, error)
        return
      }
      // The other side may have refused ours because its own is on the way.
      attempt.asked = false
      setTimeout(() => {
        if (!attempt.superseded) failAttempt(attempt, error)
      }, 8 * limits.beatIntervalMs).unref()
    })
  }
  const startAttempt = (peer: PeerId, addresses: DialOptions['addresses']) => {
    const attempt: Attempt = { peer, result: Promise.withResolvers(), asked: false, stream: undefined, superseded: false }
    attempts.set(peer, attempt)
    attempt.result.promise.catch(() => {})
    openControl(attempt, addresses, false).catch(error => {
      if (!attempt.superseded) failAttempt(attempt, error)
    })
    return attempt
  }

  await host.handle(CONTROL_PROTOCOL, onControl, { maxInboundStreams: 4, maxOutboundStreams: 4, runOnLimitedConnection: true })
  await host.handle(BULK_PROTOCOL, onBulk, { maxInboundStreams: 8, maxOutboundStreams: 8, runOnLimitedConnection: true })

  return {
    link: async (peer, options = {}) => {
      const existing = open.get(peer)
      if (existing !== undefined) return existing
      const attempt = attempts.get(peer) ?? startAttempt(peer, options.addresses)
      return withSignal(attempt.result.promise, options.signal)
    },
    list: () => [...open.values()],
    refused: () => refused,
    stop: async () => {
      stopTicking()
      for (const attempt of [...attempts.values()]) failAttempt(attempt, init.signal.reason)
      await Promise.all([...open.values()].map(link => link.close()))
    }
  }
}
