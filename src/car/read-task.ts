import type { TransferBody } from '../mesh/mesh.ts'
import { saltedDigest, valueDigest } from '../protocol/digest.ts'
import { MotorpoolError } from '../protocol/errors.ts'
import { equalBytes } from '../protocol/ids.ts'
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
