import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { ControlMessage, Hello } from '../../src/protocol/control.ts'
import { isMotorpoolError } from '../../src/protocol/errors.ts'
import { keyOfPeerId } from '../../src/protocol/ids.ts'
import { verifySignature } from '../../src/protocol/signer.ts'
import { numberedHead, startPair, startPeer, stopAll, type TestPeer, until } from './peers.ts'

const peers: TestPeer[] = []
const own = (...started: TestPeer[]) => void peers.push(...started)
afterEach(() => stopAll(peers.splice(0)))

const release = (byte: number): ControlMessage => ({ type: 'release', lease: new Uint8Array(32).fill(byte) })
const leases = (peer: TestPeer) => peer.received.messages.map(({ message }) => (message.type === 'release' ? message.lease[0] : undefined))
const refusal = (code: string) => (error: unknown) => isMotorpoolError(error) && error.code === code && !error.message.includes('\n')

test('both sides have exchanged hello when a link is there', async () => {
  const nonce = new Uint8Array(32).fill(7)
  const { a, b, toB, toA } = await startPair(
    { hello: (): Hello => ({ type: 'hello', v: 1, agent: 'a', nonce }) },
    { hello: (): Hello => ({ type: 'hello', v: 1, agent: 'b', shards: [[new Uint8Array(36), '01', 5]] }) }
  )
  own(a, b)
  expect(toB.hello.agent).toBe('b')
  expect(toB.hello.shards).toEqual([[new Uint8Array(36), '01', 5]])
  expect(toA.hello).toEqual(toB.ownHello)
  expect(toA.remote).toBe(a.peerId)
  expect(toB.remoteAddress).toContain(b.peerId)
  expect(verifySignature(keyOfPeerId(a.peerId), Buffer.from('x'), a.signer.sign(Buffer.from('x')))).toBe(true)
})

test('messages arrive in order, both ways', async () => {
  const { a, b, toB, toA } = await startPair()
  own(a, b)
  for (let number = 0; number < 200; number++) {
    toB.send(release(number))
    toA.send(release(255 - number))
  }
  await until(() => a.received.messages.length === 200 && b.received.messages.length === 200, 'all messages are there')
  expect(leases(b)).toEqual(Array.from({ length: 200 }, (_, number) => number))
  expect(leases(a)).toEqual(Array.from({ length: 200 }, (_, number) => 255 - number))
})

test('a second wish for a link gets the same one', async () => {
  const { a, b, toB, toA } = await startPair()
  own(a, b)
  expect(await a.link(b.peerId)).toBe(toB)
  expect(await b.link(a.peerId)).toBe(toA)
})

test('when both sides link at once, one link survives and loses nothing', async () => {
  for (let round = 0; round < 10; round++) {
    const [a, b] = await Promise.all([startPeer(), startPeer()])
    own(a, b)
    // Half of the rounds over one connection that is there, half over two that are dialled at once.
    if (round % 2 === 0) await a.connect(b.addresses()[0] ?? '')
    const [toB, toA] = await Promise.all([a.link(b.peerId, { addresses: b.addresses() }), b.link(a.peerId, { addresses: a.addresses() })])
    toB.send(release(1))
    toA.send(release(2))
    await until(() => leases(b).length === 1 && leases(a).length === 1, 'both messages are there')
    await new Promise(resolve => setTimeout(resolve, 300))
    expect([toB.closed, toA.closed, a.links().length, b.links().length]).toEqual([false, false, 1, 1])
    expect([...a.received.closed, ...b.received.closed]).toEqual([])
    await stopAll(peers.splice(0))
  }
})

test('beats tell silence, gaps and the round trip', async () => {
  const { a, b, toB } = await startPair({ limits: { beatIntervalMs: 50 } }, { limits: { beatIntervalMs: 50 } })
  own(a, b)
  await until(() => toB.roundTripMs() !== undefined && toB.p99GapMs() > 0, 'beats came back')
  expect(toB.roundTripMs()).toBeLessThan(1000)
  expect(toB.silenceMs()).toBeLessThan(2000)
})

test('closing a link tells the other side, and a new one can follow', async () => {
  const { a, b, toB } = await startPair()
  own(a, b)
  toB.send(release(9))
  await toB.close()
  await until(() => b.received.closed.length === 1, 'the other side heard')
  expect(leases(b)).toEqual([9])
  expect(b.received.closed[0]?.error).toBeUndefined()
  expect(() => toB.send(release(1))).toThrow(expect.objectContaining({ code: 'ERR_LINK_CLOSED' }))
  await expect(toB.transfer(numberedHead(1), [])).rejects.toSatisfy(refusal('ERR_LINK_CLOSED'))
  const again = await a.link(b.peerId)
  expect(again.closed).toBe(false)
})

test('a silent link is closed as half-open', async () => {
  const { a, b, toB } = await startPair({ limits: { beatIntervalMs: 50, halfOpenMs: 500 } }, { limits: { beatIntervalMs: 60_000 } })
  own(a, b)
  await until(() => toB.closed, 'the silent link is closed')
  expect(a.received.closed[0]?.error).toMatchObject({ code: 'ERR_LINK_CLOSED' })
  await until(() => a.connections().length === 0, 'its connection is gone')
})

test('a message over the frame limit is refused before it is sent', async () => {
  const { a, b, toB } = await startPair()
  own(a, b)
  expect(() => toB.send({ type: 'hello', v: 1, agent: 'x', ext: { filler: new Uint8Array(17_000) } })).toThrow(
    expect.objectContaining({ code: 'ERR_TOO_LARGE' })
  )
  expect(toB.closed).toBe(false)
})

test('nobody at an address is an error that names it', async () => {
  const [a, b] = await Promise.all([startPeer(), startPeer()])
  own(a)
  const addresses = b.addresses()
  await b.stop()
  await expect(a.connect(addresses[0] ?? '')).rejects.toSatisfy(refusal('ERR_PEER_UNREACHABLE'))
  await expect(a.link(b.peerId, { addresses })).rejects.toSatisfy(refusal('ERR_PEER_UNREACHABLE'))
  await expect(a.ping(b.peerId, { signal: AbortSignal.timeout(2000) })).rejects.toThrow()
  await expect(a.connect('nonsense')).rejects.toSatisfy(refusal('ERR_INVALID_OPTION'))
})

test('an abort ends a dial at once', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const address = silent.address()
  const port = typeof address === 'object' ? address?.port : 0
  const a = await startPeer()
  own(a)
  const controller = new AbortController()
  const dial = a.connect(`/ip4/127.0.0.1/tcp/${port}`, { signal: controller.signal })
  await once(silent, 'connection')
  const start = performance.now()
  controller.abort()
  await expect(dial).rejects.toSatisfy(refusal('ERR_ABORTED'))
  expect(performance.now() - start).toBeLessThan(1000)
  silent.close()
})

test('a taken port is named', async () => {
  const a = await startPeer()
  own(a)
  const taken = (a.addresses()[0] ?? '').split('/p2p/')[0] ?? ''
  await expect(startPeer({ listen: [taken] })).rejects.toSatisfy(error => refusal('ERR_ADDRESS_IN_USE')(error) && String(error).includes(taken))
})

test('stopping twice is fine, and what comes after says that it is stopped', async () => {
  const { a, b, toB } = await startPair()
  own(b)
  await Promise.all([a.stop(), a.stop()])
  expect(toB.closed).toBe(true)
  await expect(a.link(b.peerId)).rejects.toSatisfy(refusal('ERR_STOPPED'))
  await expect(a.publish('topic', new Uint8Array(1))).rejects.toSatisfy(refusal('ERR_STOPPED'))
  await until(() => b.links().length === 0 && b.connections().length === 0, 'the other side noticed')
})
