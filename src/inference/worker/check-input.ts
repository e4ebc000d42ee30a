import { MotorpoolError } from '../../protocol/errors.ts'
import { checkTensor, type Value } from '../../protocol/tensor.ts'
import type { ModelSignature } from '../runner.ts'

type Expected = ModelSignature['inputs'][number]

/**
 * Throws `ERR_INVALID_INPUT` unless a value has exactly the inputs of a signature, each with its type, rank and fixed
 * dimensions, and data that fits. An input declared without dimensions takes
 * any shape: ONNX Runtime tells scalars and open ranks alike, and accepts both.
 */
export function checkInput(value: Value, kind: string, signature: ModelSignature): void {
  if (value.kind !== kind) throw refused(`an input of kind ${value.kind} for a model of kind ${kind}; send kind ${kind}`)
  const names = signature.inputs.map(input => input.name)
  const missing = names.filter(name => !Object.hasOwn(value.tensors, name))
  if (missing.length > 0) throw refused(`input ${missing.join(', ')} is missing; the model takes ${signature.inputs.map(describe).join(', ')}`)
  const extra = Object.keys(value.tensors).filter(name => !names.includes(name))
  if (extra.length > 0) throw refused(`input ${extra.join(', ')} is unknown (defaults inside a model cannot be replaced); the model takes ${names.join(', ')}`)
  for (const expected of signature.inputs) checkOne(value, expected)
}

function checkOne(value: Value, expected: Expected): void {
  const tensor = value.tensors[expected.name]
  if (tensor === undefined) return
  const fits =
    tensor.type === expected.type &&
    (expected.dims.length === 0 ||
      (tensor.dims.length === expected.dims.length && expected.dims.every((dim, at) => typeof dim !== 'number' || dim === tensor.dims[at])))
  if (!fits) throw refused(`input ${expected.name} is ${tensor.type} [${tensor.dims.join(', ')}]; send ${describe(expected)}`)
  checkTensor(expected.name, tensor)
}

function describe({ name, type, dims }: Expected): string {
  return `${name}: ${type} [${dims.map(dim => dim ?? '?').join(', ')}]`
}

function refused(message: string): MotorpoolError {
  return new MotorpoolError('ERR_INVALID_INPUT', message)
}
