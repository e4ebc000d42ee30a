import { saltedDigest, valueDigest } from '../protocol/digest.ts'
import { MotorpoolError } from '../protocol/errors.ts'
import { equalBytes } from '../protocol/ids.ts'
import type { Value } from '../protocol/tensor.ts'
import { readTensors, type TaskHead } from '../protocol/transfer.ts'

/** A task's input as it came, checked against its digest. Throws `ERR_INPUT_DIGEST` and `ERR_BAD_ENCODING`. */
export function readTask(head: TaskHead, payload: readonly Uint8Array[]): Value {
  const tensors = readTensors(head.tensors, payload)
  const value: Value = { kind: head.kind, parameters: head.parameters, tensors }
  if (!equalBytes(saltedDigest('input', head.salt, valueDigest(value)), head.input)) {
    throw new MotorpoolError('ERR_INPUT_DIGEST', 'the input is not what its digest says; send the task again', { retryable: true })
  }
  return value
}
