import { describe, expect, test } from 'vitest'
import { proofsOf, proveResult } from '../../../src/client/tasks/exchange.ts'
import { signFlush } from '../../../src/ledger/flush.ts'
import { encodeReceipt } from '../../../src/ledger/receipt.ts'
import { verifyReceipt } from '../../../src/ledger/verify-receipt.ts'
import { sealEnvelope } from '../../../src/protocol/envelope.ts'
import { type PeerId, type TaskId, toHex } from '../../../src/protocol/ids.ts'
import { binding, flushHeader, leaf, lease, model, salt, seed, signers, task } from '../../fixtures/wire/samples.ts'

const price = { perTask: 250, perItem: 10, per1kTokensIn: 100, per1kTokensOut: 400, unit: 'EUR' }
const others = [1, 2, 3, 4].map(seq => ({ ...leaf, seq, task: seed(`task ${seq}`).subarray(0, 16) }))
const { flush, leaves } = signFlush(signers.carAccount, flushHeader, [leaf, ...others])

/** The receipt that a client makes of these leaves, of the task whose leaf is the first of the flush. */
function receiptFrom(came: readonly Uint8Array[]): Uint8Array {
  const proof = proofsOf(flush, came).find(({ read }) => Buffer.compare(read.leaf.task, task) === 0 && read.leaf.attempt === 1)
  if (proof === undefined) throw new RangeError('the leaf has a proof')
  const { receipt } = proveResult(
    proof,
    { part: 0, outputs: {}, output: leaf.output },
    {
      attempt: { task: toHex(task) as TaskId, taskBytes: task, attempt: 1, leaseBytes: lease, car: 'a car' as PeerId, salt, input: leaf.input },
      carAccount: signers.carAccount.publicKey,
      clientAccount: signers.clientAccount.publicKey,
      model,
      binding: sealEnvelope(signers.carAccount, 'binding', binding),
      price
    }
  )
  return encodeReceipt(receipt)
}

describe('a flush that comes after its results', () => {
  test('gives each of them a receipt that stands alone', () => {
    expect(verifyReceipt(receiptFrom(leaves))).toMatchObject({ task: toHex(task), seq: leaf.seq })
  })

  test('proves nothing when a leaf is missing, added, or in another place', () => {
    const [first, second, ...rest] = leaves as [Uint8Array, Uint8Array, ...Uint8Array[]]
    const { leaves: foreign } = signFlush(signers.carAccount, flushHeader, [{ ...leaf, seq: 9, task: seed('foreign').subarray(0, 16) }])
    for (const came of [[first, second], [first, ...rest], [second, first, ...rest], [...leaves, ...foreign], [first]]) {
      expect(() => receiptFrom(came)).toThrow(expect.objectContaining({ code: 'ERR_BAD_RESULT' }))
    }
  })
})
