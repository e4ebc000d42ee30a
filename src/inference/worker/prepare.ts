import type { Value } from '../../protocol/tensor.ts'
import { checkOutputPlan, type OutputPlan, readOutputPlan } from '../../protocol/values/output-plan.ts'
import { shapeOutputs } from '../reduce/shape-outputs.ts'
import { widenInputs } from '../reduce/widen-inputs.ts'
import type { Description } from '../socket/description.ts'
import { checkInput } from './check-input.ts'
import type { LoadedTask } from './task.ts'

/** An input that fits its model, with what its task asks for. */
export interface Prepared {
  readonly input: Value
  readonly plan: OutputPlan
}

/**
 * Checks inputs before they are run: those of one description, in a row, once, but for strings, which are checked one by one. What
 * it gives throws `ERR_INVALID_INPUT`.
 */
export function createPreparer(task: LoadedTask): (value: Value, description: Description) => Prepared {
  let known: { readonly description: Description; readonly plan: OutputPlan } | undefined
  return (value, description) => {
    const isKnown = known?.description === description
    const plan = isKnown && known !== undefined ? known.plan : readOutputPlan(value.parameters)
    if (!isKnown) checkOutputPlan(plan, task.signature)
    const input = plan.half ? widenInputs(value, task.signature) : value
    if (!isKnown) checkInput(input, task.kind, task.signature)
    known = description.tensors.some(({ type }) => type === 'string') ? undefined : { description, plan }
    return { input, plan }
  }
}

/** What is returned of a run's outputs. Throws `ERR_INVALID_INPUT` when a reduction doesn't fit their shapes. */
export function resultOf(task: LoadedTask, { input, plan }: Prepared, outputs: Value['tensors']): Value {
  return { kind: task.kind, parameters: {}, tensors: shapeOutputs(outputs, plan, input.tensors) }
}
