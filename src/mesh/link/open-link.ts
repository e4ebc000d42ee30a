import type { Connection, Stream } from '@libp2p/interface'
import type { ControlMessage, Hello } from '../../protocol/control.ts'
import { type MotorpoolError, throwIfAborted } from '../../protocol/errors.ts'
import type { PeerId } from '../../protocol/ids.ts'
import { createBulkPool } from '../bulk/bulk-pool.ts'
import { createBulkStream } from '../bulk/bulk-stream.ts'
import { createMemoryBudget } from '../bulk/memory-budget.ts'
import { createOutgoing, type Payload } from '../bulk/outgoing.ts'
import type { Link, LinkHandlers } from '../mesh.ts'
import type { MeshLimits } from '../mesh-limits.ts'
import type { AwakeClock } from './awake-clock.ts'
import type { ControlStream } from './control-stream.ts'
import { linkClosed } from './link-closed.ts'
import { createPulse } from './pulse.ts'

export const BULK_PROTOCOL = '/motorpool/bulk/1'

export interface OpenLinkInit {
  readonly remote: PeerId
  readonly hello: Hello
  readonly ownHello: Hello
  readonly connection: Connection
  readonly control: ControlStream
  readonly handlers: LinkHandlers
  readonly limits: MeshLimits
  readonly clock: AwakeClock
  /** Before the handlers hear of it. */
  readonly onClose: (link: OpenLink, error: MotorpoolError | undefined) => void
}

/** A link as its own mesh sees it. */
export interface OpenLink extends Link {
  /** The other side opened a bulk stream. */
  attachBulk: (stream: Stream) => void
  /** A beat interval is over. */
  tick: () => void
  /** Settles when the link is closed. */
  readonly whenClosed: Promise<void>
}

/** Makes a link of a control stream on which both hellos have been exchanged. */
export function createOpenLink(init: OpenLinkInit): OpenLink {
  const { connection, control, handlers, limits, clock } = init
  const pulse = createPulse(clock)
  const budget = createMemoryBudget(limits.gatheredBytes)
  const ended = Promise.withResolvers<void>()
  let closed = false
  /** Something other than a beat was sent in this beat interval. */
  let spoken = false

  const attachBulk = (stream: Stream) => {
    if (closed) {
      stream.abort(linkClosed('the link is closed'))
      return
    }
    const bulk = createBulkStream({
      stream,
      budget,
      stallMs: limits.stallMs,
      now: clock.now,
      onBytes: pulse.heard,
      onTransfer: (head, body) => handlers.onTransfer(link, head, body),
      onFault: end,
      onReady: () => pool.pump(),
      onClose: () => pool.remove(bulk)
    })
    pool.add(bulk)
  }
  const pool = createBulkPool(async () => {
    const stream = await connection.newStream([BULK_PROTOCOL], { signal: AbortSignal.timeout(limits.dialTimeoutMs), runOnLimitedConnection: true })
    attachBulk(stream)
  })
  const settle = (error: MotorpoolError | undefined) => {
    closed = true
    pool.fail(error ?? linkClosed('the link was closed'))
    init.onClose(link, error)
    ended.resolve()
    try {
      handlers.onClose(link, error)
    } catch {
      // The link is closed already, and nobody else is there to be told.
    }
  }
  /** Ends it at once. */
  const end = (error: MotorpoolError | undefined) => {
    if (closed) return
    settle(error)
    const reason = error ?? linkClosed('the other side closed the link')
    control.abort(reason)
    for (const bulk of pool.streams()) bulk.abort(reason)
  }
  control.listener = {
    onBytes: pulse.heard,
    onMessage: message => {
      if (message.type === 'beat') pulse.onBeat(message)
      else handlers.onMessage(link, message)
    },
    onEnd: end
  }

  const link: OpenLink = {
    remote: init.remote,
    hello: init.hello,
    ownHello: init.ownHello,
    remoteAddress: connection.remoteAddr.toString(),
    get closed() {
      return closed
    },
    send: (message: ControlMessage) => {
      if (closed) throw linkClosed('the link is closed')
      control.send(message)
      spoken = true
    },
    transfer: (head, payload: Payload, options = {}) => {
      try {
        throwIfAborted(options.signal)
        if (closed) throw linkClosed('the link is closed')
        spoken = true
        return pool.send(createOutgoing(head, payload, options.signal))
      } catch (error) {
        return Promise.reject(error)
      }
    },
    silenceMs: pulse.silenceMs,
    p99GapMs: pulse.p99GapMs,
    roundTripMs: pulse.roundTripMs,
    close: async error => {
      if (closed) return
      if (error !== undefined) {
        end(linkClosed(error.message, error))
        return
      }
      settle(undefined)
      // The control stream last: its end tells the other side to drop what is still on its way.
      await Promise.all(pool.streams().map(bulk => bulk.close()))
      await control.close()
    },
    attachBulk,
    whenClosed: ended.promise,
    tick: () => {
      if (closed) return
      pulse.tick()
      for (const bulk of pool.streams()) bulk.tick()
      if (pulse.silenceMs() > limits.halfOpenMs) {
        const error = linkClosed(`nothing came from the other side for ${Math.round(limits.halfOpenMs / 1000)} s`)
        end(error)
        connection.abort(error)
        return
      }
      handlers.onTick?.(link)
      // A beat by itself would wake the other side; any byte is a sign of life, once it is on its way.
      const isHeard = spoken && control.sent && pool.sent
      spoken = false
      if (!closed && !(isHeard && pulse.mayRest())) control.send(pulse.beat())
    }
  }
  return link
}
