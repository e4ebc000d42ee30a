import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectionStack } from '../../src/mesh/host/connection-stack.ts'
import { encodeCbor } from '../../src/protocol/cbor.ts'
import { frameHead } from '../../src/protocol/frames.ts'
import { LIMITS } from '../../src/protocol/limits.ts'
import { arrival, joinParts, numberedHead, pattern, startPair, stopAll, type TestPeer, until } from './peers.ts'

const CONTROL = '/motorpool/control/1'
const BULK = '/motorpool/bulk/1'
const hello = encodeCbor({ type: 'hello', v: 1, agent: 'stranger' })

let pair: Awaited<ReturnType<typeof startPair>>
let stranger: Libp2p

beforeEach(async () => {
  const limits = { helloTimeoutMs: 500, stallMs: 500, beatIntervalMs: 50 }
  pair = await startPair({ limits }, { limits })
  stranger = await createLibp2p(connectionStack())
})
afterEach(async () => {
  // Whatever the stranger did, the victim still serves its honest peer, on the link that it had.
  const { a, b, toB } = pair
  await toB.transfer(numberedHead(1000), [pattern(1000, 1)])
  expect(joinParts(await (await arrival(b, 1000)).all())).toEqual(pattern(1000, 1))
  expect([toB.closed, a.links().length]).toEqual([false, 1])
  await stranger.stop()
  await stopAll([a, b])
})

const open = (protocol: string) => stranger.dialProtocol(multiaddr(pair.b.addresses()[0] ?? ''), protocol)
const frame = (body: Uint8Array) => joinParts([frameHead(body.length), body])
const ended = (stream: Stream) => until(() => stream.status !== 'open' || stream.remoteWriteStatus === 'closed', 'the victim ended the stream')
const linked = async () => {
  const control = await open(CONTROL)
  control.send(frame(hello))
  await until(() => pair.b.links().length === 2, 'the stranger has a link')
  return control
}
const closings = (peer: TestPeer) => peer.received.closed.map(({ error }) => (error === undefined ? 'in order' : (error as Error & { code: string }).code))
const transfer = (headLength: number, payloadLength: number, ...rest: Uint8Array[]) => {
  const lengths = Buffer.alloc(8)
  lengths.writeUInt32BE(headLength, 0)
  lengths.writeUInt32BE(payloadLength, 4)
  return joinParts([lengths, ...rest])
}

const badFrames: [string, Uint8Array, string][] = [
  ['noise', Uint8Array.from({ length: 64 }, (_, at) => (at * 37) & 0xff), 'ERR_BAD_FRAME'],
  ['an endless length', new Uint8Array(4).fill(255), 'ERR_BAD_FRAME'],
  ['a length one over the limit', frameHead(LIMITS.controlFrame + 1), 'ERR_BAD_FRAME'],
  ['an empty frame', frame(new Uint8Array()), 'ERR_BAD_ENCODING'],
  ['a frame of zeros', frame(new Uint8Array(100)), 'ERR_BAD_ENCODING'],
  ['an unknown type', frame(encodeCbor({ type: 'gift' })), 'ERR_SCHEMA'],
  ['an unknown key', frame(encodeCbor({ type: 'release', lease: new Uint8Array(32), more: 1 })), 'ERR_SCHEMA'],
  ['a short lease', frame(encodeCbor({ type: 'release', lease: new Uint8Array(31) })), 'ERR_SCHEMA'],
  ['bytes after the value', frame(joinParts([encodeCbor({ type: 'beat', sent: 1, echo: null }), new Uint8Array(1)])), 'ERR_BAD_ENCODING']
]

test.each(badFrames)('%s instead of a hello ends the stream', async (_, bytes) => {
  const before = pair.b.refused()
  const control = await open(CONTROL)
  control.send(bytes)
  await ended(control)
  expect(pair.b.refused()).toBe(before + 1)
  expect(pair.b.links().length).toBe(1)
})

test.each(badFrames)('%s on a link closes it with a typed error', async (_, bytes, code) => {
  const control = await linked()
  control.send(bytes)
  await until(() => pair.b.received.closed.length === 1, 'the link is closed')
  expect(closings(pair.b)).toEqual([code])
  expect(pair.b.refused()).toBe(1)
})

test('a frame that is cut off is no message', async () => {
  const control = await linked()
  control.send(frame(encodeCbor({ type: 'release', lease: new Uint8Array(32) })).subarray(0, 20))
  await control.close()
  await until(() => pair.b.received.closed.length === 1, 'the link is closed')
  expect(pair.b.received.messages).toEqual([])
})

test('a frame that comes byte by byte is understood', async () => {
  const control = await linked()
  for (const byte of frame(encodeCbor({ type: 'release', lease: new Uint8Array(32) }))) {
    control.send(Uint8Array.of(byte))
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  await until(() => pair.b.received.messages.length === 1, 'the message is there')
})

test('another message first, and silence, are no hello', async () => {
  const rude = await open(CONTROL)
  rude.send(frame(encodeCbor({ type: 'release', lease: new Uint8Array(32) })))
  await ended(rude)
  const silent = await open(CONTROL)
  await ended(silent)
  expect(pair.b.links().length).toBe(1)
  expect(pair.b.received.messages).toEqual([])
})

test('a second control stream takes the place of a first that its opener has lost', async () => {
  await linked()
  const lost = pair.b.links().find(link => link.hello.agent === 'stranger')
  const again = await open(CONTROL)
  again.send(frame(hello))
  await until(() => lost?.closed === true && pair.b.links().length === 2, 'the new link is there')
  again.send(frame(encodeCbor({ type: 'release', lease: new Uint8Array(32) })))
  await until(() => pair.b.received.messages.length === 1, 'it carries messages')
  expect(pair.b.received.messages[0]?.link).not.toBe(lost)
})

test('a bulk stream before hello is refused', async () => {
  const bulk = await open(BULK)
  await ended(bulk)
  expect(pair.b.refused()).toBe(1)
  expect(pair.b.received.transfers).toEqual([])
})

const someHead = encodeCbor(numberedHead(1))
const badTransfers: [string, Uint8Array, string][] = [
  ['noise', Uint8Array.from({ length: 64 }, (_, at) => (at * 37 + 200) & 0xff), 'ERR_BAD_FRAME'],
  ['an endless head', transfer(2 ** 32 - 1, 0), 'ERR_BAD_FRAME'],
  ['a head one over the limit', transfer(LIMITS.transferHead + 1, 0), 'ERR_BAD_FRAME'],
  ['a head of nothing', transfer(0, 10, new Uint8Array(10)), 'ERR_BAD_FRAME'],
  ['a payload one over the limit', transfer(someHead.length, LIMITS.transferPayload + 1, someHead), 'ERR_BAD_FRAME'],
  ['a head of zeros', transfer(100, 0, new Uint8Array(100)), 'ERR_BAD_ENCODING'],
  ['a head of an unknown type', transfer(12, 0, encodeCbor({ type: 'gifts' })), 'ERR_SCHEMA'],
  ['a head that is cut off by its length', transfer(someHead.length - 1, 1, someHead), 'ERR_BAD_ENCODING']
]

test.each(badTransfers)('%s as a transfer closes the link with a typed error', async (_, bytes, code) => {
  const control = await linked()
  const bulk = await open(BULK)
  bulk.send(bytes)
  await until(() => pair.b.received.closed.length === 1, 'the link is closed')
  expect(closings(pair.b)).toEqual([code])
  await ended(control)
})

test('a transfer that stops midway fails for its reader, not the link', async () => {
  await linked()
  const bulk = await open(BULK)
  bulk.send(transfer(someHead.length, 1000, someHead, new Uint8Array(10)))
  const body = await arrival(pair.b, 1)
  await expect(body.all()).rejects.toMatchObject({ code: 'ERR_DEADLINE' })
  expect(pair.b.links().length).toBe(2)
})

test('a head that dribbles in for too long ends its stream', async () => {
  await linked()
  const bulk = await open(BULK)
  bulk.send(transfer(someHead.length, 0, someHead.subarray(0, 5)))
  await ended(bulk)
})

test('a transfer that its sender ends early fails for its reader', async () => {
  await linked()
  const bulk = await open(BULK)
  bulk.send(transfer(someHead.length, 1000, someHead, new Uint8Array(10)))
  const body = await arrival(pair.b, 1)
  await bulk.close()
  await expect(body.all()).rejects.toMatchObject({ code: 'ERR_LINK_CLOSED' })
})

test('glued transfers are cut apart, whatever the chunks', async () => {
  await linked()
  const bulk = await open(BULK)
  const glued = joinParts(
    [1, 2, 3, 4].map(id => {
      const head = encodeCbor(numberedHead(id))
      return transfer(head.length, id * 1000, head, pattern(id * 1000, id))
    })
  )
  for (let at = 0; at < glued.length; at += 777) bulk.send(glued.subarray(at, at + 777))
  for (const id of [1, 2, 3, 4]) expect(joinParts(await (await arrival(pair.b, id)).all())).toEqual(pattern(id * 1000, id))
})

test('more bulk streams than allowed are refused, one by one', async () => {
  await linked()
  const streams = await Promise.allSettled(Array.from({ length: 12 }, () => open(BULK)))
  await until(() => {
    const alive = streams.filter(result => result.status === 'fulfilled' && result.value.status === 'open')
    return alive.length <= 8
  }, 'the surplus is gone')
  expect(pair.b.links().length).toBe(2)
})

test('noise on the DHT and gossip protocols leaves the peer working', async () => {
  for (const protocol of ['/motorpool/kad/1.0.0', '/meshsub/1.2.0', '/ipfs/ping/1.0.0', '/ipfs/id/1.0.0', '/ipfs/id/push/1.0.0']) {
    for (const bytes of [new Uint8Array(300).fill(0xff), Uint8Array.from({ length: 500 }, (_, at) => (at * 91) & 0xff), new Uint8Array(100_000)]) {
      const stream = await open(protocol)
      if (stream.status === 'open') stream.send(bytes)
      await stream.close({ signal: AbortSignal.timeout(1000) }).catch(error => stream.abort(error))
    }
  }
})
