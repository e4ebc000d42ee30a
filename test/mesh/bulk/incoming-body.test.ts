import { expect, test } from 'vitest'
import { createIncomingBody } from '../../../src/mesh/bulk/incoming-body.ts'
import { createMemoryBudget } from '../../../src/mesh/bulk/memory-budget.ts'
import { MotorpoolError } from '../../../src/protocol/errors.ts'

function start(byteLength: number) {
  let taken = 0
  const incoming = createIncomingBody({
    byteLength,
    budget: createMemoryBudget(1000),
    onTaken: bytes => {
      taken += bytes
    }
  })
  return { incoming, taken: () => taken }
}

test('chunks come in order, before and while they are waited for', async () => {
  const { incoming, taken } = start(4)
  incoming.push(Uint8Array.of(1, 2))
  const all = incoming.body.all()
  incoming.push(Uint8Array.of(3))
  incoming.push(Uint8Array.of(4))
  expect(Buffer.concat(await all)).toEqual(Buffer.of(1, 2, 3, 4))
  expect(taken()).toBe(4)
})

test('an empty body ends at once', async () => {
  expect(await start(0).incoming.body.all()).toEqual([])
})

test('a failure reaches the reader after what had come', async () => {
  const { incoming } = start(4)
  incoming.push(Uint8Array.of(1))
  incoming.fail(new MotorpoolError('ERR_LINK_CLOSED', 'gone'))
  const reader = incoming.body[Symbol.asyncIterator]()
  expect((await reader.next()).value).toEqual(Uint8Array.of(1))
  await expect(reader.next()).rejects.toMatchObject({ code: 'ERR_LINK_CLOSED' })
})

test('a failure after the last byte changes nothing', async () => {
  const { incoming } = start(1)
  incoming.push(Uint8Array.of(1))
  incoming.fail(new MotorpoolError('ERR_LINK_CLOSED', 'gone'))
  expect(await incoming.body.all()).toEqual([Uint8Array.of(1)])
})

test('what is discarded, and what comes after, counts as taken', () => {
  const { incoming, taken } = start(5)
  incoming.push(Uint8Array.of(1, 2))
  incoming.body.discard()
  incoming.push(Uint8Array.of(3, 4, 5))
  expect([taken(), incoming.missing]).toEqual([5, 0])
})

test('leaving the loop discards the rest', async () => {
  const { incoming, taken } = start(5)
  incoming.push(Uint8Array.of(1, 2))
  for await (const _ of incoming.body) break
  incoming.push(Uint8Array.of(3, 4, 5))
  expect(taken()).toBe(5)
})

test('what is all there can be had at once, and only then', async () => {
  const { incoming, taken } = start(3)
  incoming.push(Uint8Array.of(1, 2))
  expect(incoming.body.whole()).toBeUndefined()
  expect(taken()).toBe(0)
  incoming.push(Uint8Array.of(3))
  expect(incoming.body.whole()).toEqual([Uint8Array.of(1, 2), Uint8Array.of(3)])
  expect(taken()).toBe(3)
  expect(await incoming.body.all()).toEqual([])
})
