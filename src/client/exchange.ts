import { checkResult, createFlushCache } from '../ledger/check-result.ts'
import type { Price } from '../ledger/price.ts'
import { encodeReceipt } from '../ledger/receipt.ts'
import type { Link } from '../mesh/mesh.ts'
import { saltedDigest, valueDigest } from '../protocol/digest.ts'
import { MotorpoolError } from '../protocol/errors.ts'
import { cidToBytes, fromHex, type LeaseId, type ModelCid, type PeerId, type TaskId } from '../protocol/ids.ts'
import type { Tensor, Value } from '../protocol/tensor.ts'
import { type ResultHead, readTensors } from '../protocol/transfer.ts'
import type { TaskResult } from './client.ts'

/** One sending of a task to one car. */
export interface Attempt {
  readonly task: TaskId
  readonly attempt: number
  readonly lease: LeaseId
  readonly car: PeerId
  readonly salt: Uint8Array
  /** valueDigest of the input. */
  readonly digest: Uint8Array
}

/** Sends a task's input; resolves when the connection has taken it. */
export async function sendAttempt(link: Link, attempt: Attempt, value: Value, timeLeftMs: number, signal: AbortSignal): Promise<void> {
  const tensors = Object.entries(value.tensors)
  await link.transfer(
    {
      type: 'task',
      lease: fromHex(attempt.lease),
      task: fromHex(attempt.task),
      attempt: attempt.attempt,
      salt: attempt.salt,
      input: saltedDigest('input', attempt.salt, attempt.digest),
      deadlineMs: Math.max(1, Math.floor(timeLeftMs)),
      kind: value.kind,
      parameters: { ...value.parameters },
      tensors: tensors.map(([name, { type, dims, data }]) => [name, type, [...dims], data.byteLength])
    },
    tensors.map(([, { data }]) => data),
    { signal }
  )
}

export interface ExpectedResult {
  readonly attempt: Attempt
  readonly carAccount: Uint8Array
  readonly clientAccount: Uint8Array
  readonly model: ModelCid
  readonly binding: Uint8Array
  readonly price: Price
}

const flushes = createFlushCache()

/** Checks a result against its receipt before anybody sees it. Throws `ERR_BAD_RESULT` that names what is wrong. */
export function takeResult(
  head: ResultHead,
  payload: readonly Uint8Array[],
  expected: ExpectedResult
): Pick<TaskResult, 'task' | 'attempt' | 'outputs' | 'receipt'> & { readonly times: { readonly queuedUs: number; readonly ranUs: number } } {
  const { attempt } = expected
  if (head.proof === undefined) throw new MotorpoolError('ERR_BAD_RESULT', 'the result has no receipt; the task goes to another car')
  const outputs = readTensors(head.tensors, payload)
  const output = saltedDigest('output', attempt.salt, valueDigest({ kind: head.kind, parameters: head.parameters, tensors: outputs }))
  const { proof } = head
  const verdict = checkResult(
    proof,
    {
      car: expected.carAccount,
      client: expected.clientAccount,
      lease: fromHex(attempt.lease),
      model: cidToBytes(expected.model),
      task: fromHex(attempt.task),
      attempt: attempt.attempt,
      part: head.part,
      input: saltedDigest('input', attempt.salt, attempt.digest),
      output,
      price: expected.price
    },
    flushes
  )
  if (!verdict.accepted) throw new MotorpoolError('ERR_BAD_RESULT', `${verdict.reason}; the task goes to another car`)
  const receipt = encodeReceipt({
    flush: proof.flush,
    leaf: proof.leaf,
    proof: { index: proof.index, path: proof.path },
    binding: expected.binding,
    opening: { salt: attempt.salt }
  })
  return {
    task: attempt.task,
    attempt: attempt.attempt,
    outputs: ownMemory(outputs),
    receipt,
    times: { queuedUs: verdict.leaf.times.queuedUs, ranUs: verdict.leaf.times.ranUs }
  }
}

/** Tensors on memory of their own: aligned for any typed array, and free of the larger buffer that they came in. */
function ownMemory(tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, { ...tensor, data: new Uint8Array(tensor.data) }]))
}
