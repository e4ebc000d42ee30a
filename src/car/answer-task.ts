import type { NumericsClass, RunResult } from '../inference/runner.ts'
import { signFlush } from '../ledger/flush.ts'
import { encodeLeaf, type Leaf, wholeMinute } from '../ledger/leaf.ts'
import { type Price, priceOf } from '../ledger/price.ts'
import type { CarJournal } from '../ledger/store/car-journal.ts'
import type { Link, TransferBody } from '../mesh/mesh.ts'
import { saltedDigest, valueDigest } from '../protocol/digest.ts'
import { MotorpoolError } from '../protocol/errors.ts'
import { cidToBytes, equalBytes, fromHex, type LeaseId, type ModelCid } from '../protocol/ids.ts'
import type { Signer } from '../protocol/signer.ts'
import type { Value } from '../protocol/tensor.ts'
import { readTensors, type TaskHead } from '../protocol/transfer.ts'

/** Reads a task's input and checks it against its digest. Throws `ERR_INPUT_DIGEST` and `ERR_BAD_ENCODING`. */
export async function readTask(head: TaskHead, body: TransferBody, signal: AbortSignal): Promise<Value> {
  const tensors = readTensors(head.tensors, await body.all({ signal }))
  const value: Value = { kind: head.kind, parameters: head.parameters, tensors }
  if (!equalBytes(saltedDigest('input', head.salt, valueDigest(value)), head.input)) {
    throw new MotorpoolError('ERR_INPUT_DIGEST', 'the input is not what its digest says; send the task again', { retryable: true })
  }
  return value
}

/** What a receipt says besides the result itself. */
export interface ReceiptContext {
  readonly head: TaskHead
  readonly model: ModelCid
  readonly lease: LeaseId
  readonly client: Uint8Array
  readonly account: Signer
  readonly numerics: NumericsClass
  readonly price: Price
  /** Microseconds from admission until the run began, the runner's own queue included. */
  readonly queuedUs: number
  readonly unixMs: number
}

/** Writes the leaf to the journal, signs it, and sends outputs and proof. Throws `ERR_ATTEMPT_USED` rather than sign twice. */
export async function sendResult(link: Link, result: RunResult, context: ReceiptContext, journal: CarJournal, signal: AbortSignal): Promise<void> {
  const { head, account, price } = context
  const units = { items: 1, tokensIn: 0, tokensOut: 0 }
  const leaf: Leaf = {
    seq: journal.nextSeq(fromHex(context.lease)),
    task: head.task,
    attempt: head.attempt,
    part: 0,
    input: head.input,
    output: saltedDigest('output', head.salt, result.digest),
    tokens: null,
    together: result.together,
    units,
    times: { at: wholeMinute(context.unixMs / 1000), queuedUs: context.queuedUs, ranUs: result.ranUs },
    energy: { marginalMj: 0, attributedMj: 0, by: 'unknown' },
    price: priceOf(price, units)
  }
  journal.recordLeaf(account.publicKey, head.task, leaf.part, head.attempt, encodeLeaf(leaf))
  const { flush, leaves, proofs } = signFlush(
    account,
    { client: context.client, lease: fromHex(context.lease), model: cidToBytes(context.model), class: context.numerics },
    [leaf]
  )
  const [bytes] = leaves
  const [proof] = proofs
  if (bytes === undefined || proof === undefined) throw new MotorpoolError('ERR_BAD_RECEIPT', 'a flush came out empty; this is a defect, report it')
  const tensors = Object.entries(result.output.tensors)
  await link.transfer(
    {
      type: 'result',
      lease: fromHex(context.lease),
      task: head.task,
      attempt: head.attempt,
      part: 0,
      kind: result.output.kind,
      parameters: { ...result.output.parameters },
      tensors: tensors.map(([name, { type, dims, data }]) => [name, type, [...dims], data.byteLength]),
      proof: { flush, leaf: bytes, index: proof.index, path: [...proof.path] }
    },
    tensors.map(([, { data }]) => data),
    { signal }
  )
}
