import type { Value } from '../../protocol/tensor.ts'
import type { ModelSignature } from '../runner.ts'
import { numbersOf, tensorOf } from './numbers.ts'

/** The input as the model takes it: float16 tensors widened where it wants float32; exact. */
export function widenInputs(input: Value, signature: ModelSignature): Value {
  const wide = new Set(signature.inputs.flatMap(({ name, type }) => (type === 'float32' ? [name] : [])))
  const tensors = Object.entries(input.tensors).map(([name, tensor]) => [
    name,
    tensor.type === 'float16' && wide.has(name) && tensor.data.byteLength % 2 === 0 ? tensorOf(numbersOf(name, tensor)) : tensor
  ])
  return { ...input, tensors: Object.fromEntries(tensors) }
}
