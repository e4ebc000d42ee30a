import type { Value } from '../../protocol/tensor.ts'
import { checkOutputPlan, type OutputPlan, readOutputPlan } from '../../protocol/values/output-plan.ts'
import { shapeOutputs } from '../reduce/shape-outputs.ts'
import { widenInputs } from '../reduce/widen-inputs.ts'
import { checkInput } from './check-input.ts'
import type { LoadedTask } from './task.ts'

/** An input that fits its model, with what its task asks for. */
export interface Prepared {
  readonly input: Value
  readonly plan: OutputPlan
}

/** Checks an input before it is run. Throws `ERR_INVALID_INPUT`. */
export function prepare(task: LoadedTask, value: Value): Prepared {
  const plan = readOutputPlan(value.parameters)
  checkOutputPlan(plan, task.signature)
  const input = plan.half ? widenInputs(value, task.signature) : value
  checkInput(input, task.kind, task.signature)
  return { input, plan }
}

/** What is returned of a run's outputs. Throws `ERR_INVALID_INPUT` when a reduction doesn't fit their shapes. */
export function resultOf(task: LoadedTask, { input, plan }: Prepared, outputs: Value['tensors']): Value {
  return { kind: task.kind, parameters: {}, tensors: shapeOutputs(outputs, plan, input.tensors) }
}
