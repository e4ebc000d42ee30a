import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { LinkHandlers } from '../../src/mesh/mesh.ts'
import { arrival, joinParts, numberedHead, pattern, startPair, stopAll, type TestPeer, until } from './peers.ts'

const MIB = 1024 * 1024
const peers: TestPeer[] = []
const own = (...started: TestPeer[]) => void peers.push(...started)
afterEach(() => stopAll(peers.splice(0)))

test.each([0, 1, MIB, 64 * MIB])('a payload of %i bytes arrives unchanged', async length => {
  const { a, b, toB } = await startPair()
  own(a, b)
  const payload = pattern(length, 3)
  const sent = toB.transfer(numberedHead(1), [payload])
  const body = await arrival(b, 1)
  expect(body.byteLength).toBe(length)
  expect(Buffer.compare(joinParts(await body.all()), payload)).toBe(0)
  await sent
})

test('many small transfers of one tick keep their order on a stream and all arrive', async () => {
  const { a, b, toB, toA } = await startPair()
  own(a, b)
  const count = 500
  await Promise.all(
    Array.from({ length: count }, (_, id) => [
      toB.transfer(numberedHead(id), [pattern(id, id), pattern(3, id)]),
      toA.transfer(numberedHead(id), [pattern(id, 9)])
    ]).flat()
  )
  await until(() => a.received.transfers.length === count && b.received.transfers.length === count, 'all are there')
  for (let id = 0; id < count; id++) {
    expect(joinParts(await (await arrival(b, id)).all())).toEqual(joinParts([pattern(id, id), pattern(3, id)]))
    expect(joinParts(await (await arrival(a, id)).all())).toEqual(pattern(id, 9))
  }
})

test('large transfers run both ways at once, each unchanged', async () => {
  const { a, b, toB, toA } = await startPair()
  own(a, b)
  const ids = [1, 2, 3, 4, 5, 6]
  const sends = ids.flatMap(id => [toB.transfer(numberedHead(id), [pattern(4 * MIB, id)]), toA.transfer(numberedHead(id), [pattern(4 * MIB, id + 50)])])
  await Promise.all(
    ids.flatMap(id => [
      arrival(b, id).then(async body => expect(Buffer.compare(joinParts(await body.all()), pattern(4 * MIB, id))).toBe(0)),
      arrival(a, id).then(async body => expect(Buffer.compare(joinParts(await body.all()), pattern(4 * MIB, id + 50))).toBe(0))
    ])
  )
  await Promise.all(sends)
})

test('small transfers pass large ones that nobody reads', async () => {
  const { a, b, toB } = await startPair()
  own(a, b)
  const stop = new AbortController()
  const large = [1, 2, 3, 4, 5].map(id => toB.transfer(numberedHead(id), [new Uint8Array(10 * MIB)], { signal: stop.signal }).catch(error => error))
  await until(() => b.received.transfers.length === 3, 'three large ones have begun')
  for (let id = 10; id < 20; id++) {
    await toB.transfer(numberedHead(id), [pattern(1000, id)])
    expect(joinParts(await (await arrival(b, id)).all())).toEqual(pattern(1000, id))
  }
  stop.abort()
  for (const end of large) expect(await end).toMatchObject({ code: 'ERR_ABORTED' })
})

test('a payload may come from an async iterable of a stated length', async () => {
  const { a, b, toB } = await startPair()
  own(a, b)
  const parts = async function* () {
    for (let index = 0; index < 10; index++) {
      await sleep(1)
      yield pattern(100_000, index)
    }
  }
  const sent = toB.transfer(numberedHead(1), { byteLength: 1_000_000, parts: parts() })
  const received = joinParts(await (await arrival(b, 1)).all())
  await sent
  expect(Buffer.compare(received, joinParts(Array.from({ length: 10 }, (_, index) => pattern(100_000, index))))).toBe(0)
  await expect(toB.transfer(numberedHead(2), { byteLength: 999, parts: parts() })).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
  await toB.transfer(numberedHead(3), [pattern(5, 5)])
  expect(joinParts(await (await arrival(b, 3)).all())).toEqual(pattern(5, 5))
})

test('a reader that stops takes no memory, and the rest comes when it goes on', async () => {
  const { a, b, toB } = await startPair()
  own(a, b)
  let finished = false
  const sent = toB.transfer(numberedHead(1), [pattern(8 * MIB, 1)]).then(() => {
    finished = true
  })
  const reader = (await arrival(b, 1))[Symbol.asyncIterator]()
  const first = await reader.next()
  await sleep(500)
  expect(finished).toBe(false)
  const parts = [first.value as Uint8Array]
  for (let next = await reader.next(); next.done !== true; next = await reader.next()) parts.push(next.value)
  await sent
  expect(Buffer.compare(joinParts(parts), pattern(8 * MIB, 1))).toBe(0)
})

test('a discarded transfer lets its stream go on', async () => {
  const { a, b, toB } = await startPair()
  own(a, b)
  for (let id = 0; id < 8; id++) {
    const sent = toB.transfer(numberedHead(id), [new Uint8Array(3 * MIB)])
    const body = await arrival(b, id)
    if (id % 2 === 0) body.discard()
    else for await (const _ of body) break
    await sent
  }
  await toB.transfer(numberedHead(100), [pattern(9, 9)])
  expect(joinParts(await (await arrival(b, 100)).all())).toEqual(pattern(9, 9))
})

test('an abort of the sender ends the transfer on both sides, the link stays', async () => {
  const { a, b, toB } = await startPair()
  own(a, b)
  const controller = new AbortController()
  const sent = toB.transfer(numberedHead(1), [new Uint8Array(32 * MIB)], { signal: controller.signal })
  const body = await arrival(b, 1)
  controller.abort()
  await expect(sent).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  await expect(body.all()).rejects.toMatchObject({ code: 'ERR_LINK_CLOSED', retryable: true })
  await expect(toB.transfer(numberedHead(2), [], { signal: controller.signal })).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  await toB.transfer(numberedHead(3), [pattern(7, 7)])
  expect(joinParts(await (await arrival(b, 3)).all())).toEqual(pattern(7, 7))
})

test('an abort in the turn of a small transfer, or while one waits for the reader, reaches the sender', async () => {
  const { a, b, toB } = await startPair()
  own(a, b)
  const early = new AbortController()
  const sent = toB.transfer(numberedHead(1), [pattern(9, 1)], { signal: early.signal })
  early.abort()
  await expect(sent).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  const late = new AbortController()
  const waiting: Promise<unknown>[] = []
  // Nobody reads these, so that at some point every stream is full.
  for (let id = 0; id < 100; id++) waiting.push(toB.transfer(numberedHead(id), [pattern(200 * 1024, id)], { signal: late.signal }).catch(error => error))
  await sleep(200)
  late.abort()
  expect((await Promise.all(waiting)).some(error => error !== undefined)).toBe(true)
})

test('what comes in one read is whole when its handler hears of it', async () => {
  const wholes: (readonly Uint8Array[] | undefined)[] = []
  const handlers: LinkHandlers = { onMessage: () => {}, onClose: () => {}, onTransfer: (_link, _head, body) => void wholes.push(body.whole()) }
  const { a, b, toB } = await startPair({}, { handlers })
  own(a, b)
  for (const length of [0, 1000]) await toB.transfer(numberedHead(length), [pattern(length, 1)])
  await until(() => wholes.length === 2, 'both are there')
  expect(wholes.map(parts => joinParts(parts ?? [pattern(1, 1)]))).toEqual([pattern(0, 1), pattern(1000, 1)])
})

test('an abort of the reader leaves the link and the stream usable', async () => {
  const { a, b, toB } = await startPair()
  own(a, b)
  const sent = toB.transfer(numberedHead(1), [new Uint8Array(32 * MIB)])
  const controller = new AbortController()
  const read = (await arrival(b, 1)).all({ signal: controller.signal })
  controller.abort()
  await expect(read).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  await sent
  await toB.transfer(numberedHead(2), [pattern(7, 7)])
  expect(joinParts(await (await arrival(b, 2)).all())).toEqual(pattern(7, 7))
})

test('payloads gathered at once stay within the budget of a link, and all arrive', async () => {
  const { a, b, toB } = await startPair({}, { limits: { gatheredBytes: 5 * MIB } })
  own(a, b)
  const ids = [1, 2, 3]
  const sends = ids.map(id => toB.transfer(numberedHead(id), [pattern(4 * MIB, id)]))
  const bodies = await Promise.all(ids.map(id => arrival(b, id)))
  const reads = await Promise.all(bodies.map(body => body.all()))
  for (const [index, parts] of reads.entries()) expect(Buffer.compare(joinParts(parts), pattern(4 * MIB, index + 1))).toBe(0)
  await Promise.all(sends)
})

test('a payload over the limit is refused before it is sent', async () => {
  const { a, b, toB } = await startPair()
  own(a, b)
  const half = new Uint8Array(32 * MIB + 1)
  await expect(toB.transfer(numberedHead(1), [half, half])).rejects.toMatchObject({ code: 'ERR_TOO_LARGE' })
  await expect(toB.transfer(numberedHead(-1), [])).rejects.toMatchObject({ code: 'ERR_SCHEMA' })
  expect(toB.closed).toBe(false)
})

test('what arrived whole before a link closed can still be read; what did not fails', async () => {
  const { a, b, toB } = await startPair()
  own(a, b)
  await toB.transfer(numberedHead(1), [pattern(1000, 1)])
  const whole = await arrival(b, 1)
  const lost = toB.transfer(numberedHead(2), [new Uint8Array(32 * MIB)])
  const partly = await arrival(b, 2)
  await Promise.all([toB.close(new Error('enough')), expect(lost).rejects.toMatchObject({ code: 'ERR_LINK_CLOSED' })])
  await expect(partly.all()).rejects.toMatchObject({ code: 'ERR_LINK_CLOSED' })
  expect(joinParts(await whole.all())).toEqual(pattern(1000, 1))
})

test('a transfer that makes no progress fails for its reader', async () => {
  const { a, b, toB } = await startPair({}, { limits: { stallMs: 300, beatIntervalMs: 50 } })
  own(a, b)
  const never = { byteLength: 1000, parts: { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) } }
  const sent = toB.transfer(numberedHead(1), never)
  sent.catch(() => {})
  await expect((await arrival(b, 1)).all()).rejects.toMatchObject({ code: 'ERR_DEADLINE' })
  await expect(sent).rejects.toMatchObject({ code: 'ERR_LINK_CLOSED' })
  expect(toB.closed).toBe(false)
})

test('when a handler throws, its link closes and the peer goes on', async () => {
  const { a, b, toB } = await startPair(
    {},
    {
      handlers: {
        onMessage: () => {},
        onClose: () => {},
        onTransfer: () => {
          throw new Error('role failed')
        }
      }
    }
  )
  own(a, b)
  await toB.transfer(numberedHead(1), [])
  await until(() => toB.closed, 'the link is closed')
  expect((await a.link(b.peerId)).closed).toBe(false)
})
