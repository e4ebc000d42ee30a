import type { Tensor, Value } from '../../protocol/tensor.ts'
import { halvesOfFloats } from '../../protocol/values/half-float.ts'
import type { OutputPlan, Reduction } from '../../protocol/values/output-plan.ts'
import { argmax } from './argmax.ts'
import { l2Normalize } from './l2-normalize.ts'
import { meanPool } from './mean-pool.ts'
import { type Numbers, numbersOf, tensorOf, unfit } from './numbers.ts'
import { softmax } from './softmax.ts'
import { topK } from './top-k.ts'

type Tensors = Value['tensors']

/** What leaves the worker: the outputs that a plan selects, reduced and narrowed as it says. Throws `ERR_INVALID_INPUT` when a shape or type doesn't fit. */
export function shapeOutputs(outputs: Tensors, plan: OutputPlan, inputs: Tensors): Tensors {
  if (plan.outputs === undefined && plan.reductions.size === 0 && !plan.half) return outputs
  const shaped = new Map<string, Tensor>()
  for (const [name, tensor] of Object.entries(outputs)) {
    if (plan.outputs?.includes(name) === false) continue
    const steps = plan.reductions.get(name)
    for (const [made, result] of steps === undefined ? [[name, tensor] as const] : reduceOutput(name, tensor, steps, inputs)) {
      if (shaped.has(made)) throw unfit(name, `would give ${made}, which is there already; leave that out with outputs`)
      shaped.set(made, plan.half ? narrow(result) : result)
    }
  }
  return Object.fromEntries(shaped)
}

function reduceOutput(name: string, tensor: Tensor, steps: readonly Reduction[], inputs: Tensors): readonly (readonly [string, Tensor])[] {
  let numbers = numbersOf(name, tensor)
  for (const step of steps) {
    switch (step.name) {
      case 'argmax': {
        const { dims, indices } = argmax(name, numbers)
        return [[name, indexTensor(dims, indices, step.type)]]
      }
      case 'top-k': {
        const { values, indices } = topK(name, numbers, step.count)
        return [
          [`${name}.values`, tensorOf(values)],
          [`${name}.indices`, indexTensor(values.dims, indices, 'int64')]
        ]
      }
      default:
        numbers = reduceNumbers(name, numbers, step, inputs)
    }
  }
  return [[name, tensorOf(numbers)]]
}

function reduceNumbers(name: string, numbers: Numbers, step: Exclude<Reduction, { name: 'argmax' | 'top-k' }>, inputs: Tensors): Numbers {
  if (step.name === 'softmax') return softmax(name, numbers)
  if (step.name === 'l2-normalize') return l2Normalize(name, numbers)
  const mask = inputs[step.mask]
  if (mask === undefined) throw unfit(name, `is to be pooled with input ${step.mask}, which is missing; send it`)
  return meanPool(name, numbers, step.mask, numbersOf(step.mask, mask))
}

function indexTensor(dims: readonly number[], indices: Int32Array<ArrayBuffer>, type: 'int64' | 'int32'): Tensor {
  const data = type === 'int32' ? indices : BigInt64Array.from(indices, BigInt)
  return { type, dims, data: new Uint8Array(data.buffer) }
}

function narrow(tensor: Tensor): Tensor {
  if (tensor.type !== 'float32') return tensor
  const { values } = numbersOf('', tensor)
  return values instanceof Float32Array ? { type: 'float16', dims: tensor.dims, data: new Uint8Array(halvesOfFloats(values).buffer) } : tensor
}
