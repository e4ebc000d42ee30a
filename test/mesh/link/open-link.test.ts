import type { Connection } from '@libp2p/interface'
import { expect, test } from 'vitest'
import { createAwakeClock } from '../../../src/mesh/link/awake-clock.ts'
import type { ControlStream } from '../../../src/mesh/link/control-stream.ts'
import { createOpenLink } from '../../../src/mesh/link/open-link.ts'
import { MESH_LIMITS } from '../../../src/mesh/mesh-limits.ts'
import type { ControlMessage, Hello } from '../../../src/protocol/control.ts'
import type { PeerId } from '../../../src/protocol/ids.ts'

const hello: Hello = { type: 'hello', v: 1, agent: 'test' }
const SPOKEN: ControlMessage = { type: 'release', lease: new Uint8Array(32) }

/** A link on a control stream that only remembers, and a clock that the test moves. */
function linkOf({ onTick }: { readonly onTick?: () => void } = {}) {
  let nowMs = 1000
  let sent = true
  const said: ControlMessage['type'][] = []
  const control: ControlStream = {
    listener: { onBytes: () => undefined, onMessage: () => undefined, onEnd: () => undefined },
    send: ({ type }) => said.push(type),
    get sent() {
      return sent
    },
    close: async () => undefined,
    abort: () => undefined
  }
  const clock = createAwakeClock(MESH_LIMITS.beatIntervalMs, () => nowMs)
  const link = createOpenLink({
    remote: 'peer' as PeerId,
    hello,
    ownHello: hello,
    connection: { remoteAddr: '/ip4/127.0.0.1/tcp/1' } as unknown as Connection,
    control,
    handlers: { onMessage: () => undefined, onTransfer: () => undefined, onClose: () => undefined, ...(onTick === undefined ? {} : { onTick }) },
    limits: MESH_LIMITS,
    clock,
    onClose: () => undefined
  })
  const hear = (message: ControlMessage): void => {
    control.listener.onBytes()
    control.listener.onMessage(message)
  }
  return {
    link,
    hear,
    hold: () => {
      sent = false
    },
    /** What a beat interval says, beside what was sent in it. */
    tick: (): readonly ControlMessage['type'][] => {
      nowMs += MESH_LIMITS.beatIntervalMs
      clock.tick()
      control.listener.onBytes()
      said.length = 0
      link.tick()
      return [...said]
    }
  }
}

test('a beat rests while other bytes go out, but for one in two seconds, which measures the round trip', () => {
  const { link, hear, tick } = linkOf()
  hear({ type: 'beat', sent: 1, echo: null })
  link.send(SPOKEN)
  expect(tick(), 'the round trip is not known yet').toEqual(['beat'])
  hear({ type: 'beat', sent: 2, echo: Math.round(performance.now()) })
  const beats = Array.from({ length: 24 }, () => {
    link.send(SPOKEN)
    return tick().length
  })
  expect(beats.reduce((sum, count) => sum + count)).toBe(3)
  expect(tick(), 'nothing else was sent').toEqual(['beat'])
  expect(tick()).toEqual(['beat'])
})

test('bytes that the connection has not taken are no sign of life', () => {
  const { link, hear, hold, tick } = linkOf()
  hear({ type: 'beat', sent: 1, echo: Math.round(performance.now()) })
  expect(tick()).toEqual(['beat'])
  hold()
  link.send(SPOKEN)
  expect(tick()).toEqual(['beat'])
})

test('who looks at silence may close the link, and nothing is sent on it then', () => {
  const { link, tick } = linkOf({ onTick: () => void link.close() })
  expect(tick()).toEqual([])
  expect(link.closed).toBe(true)
})
