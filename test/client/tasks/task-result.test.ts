import { expect, test } from 'vitest'
import type { AwardedLease } from '../../../src/client/contacts.ts'
import type { Submission } from '../../../src/client/tasks/submission.ts'
import { resultOf } from '../../../src/client/tasks/task-result.ts'
import { encodeReceipt, type Receipt } from '../../../src/ledger/receipt.ts'
import type { ModelCid, PeerId, TaskId } from '../../../src/protocol/ids.ts'

const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)
const receipt: Receipt = { flush: bytes(1), leaf: bytes(2), proof: { index: 0, path: [] }, binding: bytes(3), opening: { salt: bytes(4) } }
const attempt = { task: 'task' as TaskId, taskBytes: bytes(0), attempt: 2, leaseBytes: bytes(5), car: 'car' as PeerId, salt: bytes(4), input: bytes(6) }
const held = { heard: { contact: { account: 'account' } } } as AwardedLease
const proven = { receipt, queuedUs: 7, ranUs: 8 }
const submission = {
  submittedMs: 100,
  sendUs: 1,
  checkUs: 2,
  attempt,
  held,
  arrived: { part: 0, outputs: {}, output: bytes(9) },
  proven: undefined,
  receipted: undefined
} as unknown as Submission
const model = 'model' as ModelCid

test('a proven result holds its receipt file, made once, and copies take it along', async () => {
  const result = resultOf({ ...submission, proven }, model, 150)
  if (result === undefined) return expect.fail('there is no result')
  expect(result).toMatchObject({ task: 'task', attempt: 2, carAccount: 'account', signed: true, times: { totalMs: 50, queuedUs: 7, ranUs: 8 } })
  expect(result.receipt).toEqual(encodeReceipt(receipt))
  expect(result.receipt).toBe(result.receipt)
  expect(result.receipted).toBe(result.receipted)
  expect(await result.receipted).toBe(result.receipt)
  expect({ ...result }.receipt).toBe(result.receipt)
})

test('one that was handed out before has none yet, and promises the one to come', async () => {
  const receipted = Promise.withResolvers<Uint8Array>()
  const result = resultOf({ ...submission, receipted }, model, 150)
  expect(result).toMatchObject({ signed: false, receipt: new Uint8Array(0) })
  receipted.resolve(bytes(1))
  expect(await result?.receipted).toEqual(bytes(1))
})

test('there is none before the outputs came', () => {
  expect(resultOf({ ...submission, arrived: undefined }, model, 150)).toBeUndefined()
})
