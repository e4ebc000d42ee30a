import { MotorpoolError } from '../errors.ts'
import type { ParameterValue, Value } from '../tensor.ts'

/** One reduction of an output; `mean-pool`'s mask is an input, [rows, tokens]. */
export type Reduction =
  | { readonly name: 'argmax'; readonly type: 'int64' | 'int32' }
  | { readonly name: 'top-k'; readonly count: number }
  | { readonly name: 'mean-pool'; readonly mask: string }
  | { readonly name: 'l2-normalize' }
  | { readonly name: 'softmax' }

/** What a task asks for beside the inference itself: in its parameters, so that the input's digest binds it. */
export interface OutputPlan {
  /** Outputs that are wanted; all when undefined. */
  readonly outputs: readonly string[] | undefined
  /** By output, in the order in which they apply. */
  readonly reductions: ReadonlyMap<string, readonly Reduction[]>
  /** float32 tensors travel as float16. */
  readonly half: boolean
}

const PREFIX = 'reduce.'
const STEP = /\s*([a-z0-9-]+)(?:\(([^()]*)\))?(?=\s|$)/y
const EXAMPLES = 'argmax, argmax(int32), top-k(COUNT), mean-pool(MASK_INPUT), l2-normalize or softmax, several with spaces between'
const PLAIN: OutputPlan = { outputs: undefined, reductions: new Map(), half: false }

/**
 * Reads the parameters that shape a result; all others are left to the model's pipeline. Throws `ERR_INVALID_INPUT`.
 * - `outputs: 'a,b'`: only these outputs.
 * - `reduce.NAME: 'STEP …'`: what the worker makes of output NAME. `argmax` (last axis, int64, or `argmax(int32)`; ties go to
 *   the lower index), `top-k(5)` (last axis, descending; gives NAME.values and NAME.indices), `mean-pool(attention_mask)` (float
 *   [rows, tokens, width] and the named input [rows, tokens] → [rows, width]), `l2-normalize` and `softmax` (last axis).
 * - `travel: 'float16'`: an input that the model takes as float32 may come as float16, and float32 outputs leave as float16.
 *   Half the bytes, at a price: 11 significant bits instead of 24 (a relative error up to 2⁻¹¹, 0.05 %, in each number that
 *   travels), nothing above 65504 but infinity, and below 6·10⁻⁸ zero. Fine for pixels, probabilities and embeddings; not for
 *   results that are compared bit for bit with others, nor for large sums.
 */
export function readOutputPlan(parameters: Value['parameters']): OutputPlan {
  const names = Object.keys(parameters)
  if (names.length === 0) return PLAIN
  const reductions = new Map<string, readonly Reduction[]>()
  for (const name of names) if (name.startsWith(PREFIX)) reductions.set(name.slice(PREFIX.length), readReductions(name, parameters[name]))
  const { travel } = parameters
  if (travel !== undefined && travel !== 'float16') throw refused(`parameter travel is ${shown(travel)}; leave it out or say float16`)
  return { outputs: readOutputs(parameters.outputs), reductions, half: travel === 'float16' }
}

/** Throws `ERR_INVALID_INPUT` when a plan names outputs or masks that a model doesn't have. */
export function checkOutputPlan(
  plan: OutputPlan,
  model: { readonly inputs: readonly { readonly name: string }[]; readonly outputs: readonly { readonly name: string }[] }
): void {
  const outputs = model.outputs.map(output => output.name)
  const inputs = model.inputs.map(input => input.name)
  for (const name of [...(plan.outputs ?? []), ...plan.reductions.keys()])
    if (!outputs.includes(name)) throw refused(`the model has no output ${shown(name)}; it gives ${outputs.join(', ')}`)
  for (const [name, steps] of plan.reductions) {
    if (plan.outputs !== undefined && !plan.outputs.includes(name)) throw refused(`output ${name} is reduced but not among outputs; add it there`)
    for (const step of steps)
      if (step.name === 'mean-pool' && !inputs.includes(step.mask))
        throw refused(`output ${name} is to be pooled with input ${shown(step.mask)}, which the model doesn't have; it takes ${inputs.join(', ')}`)
  }
}

function readOutputs(value: ParameterValue | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined
  const names = typeof value === 'string' ? value.split(',').map(name => name.trim()) : []
  if (names.length === 0 || names.includes('')) throw refused(`parameter outputs is ${shown(value)}; name outputs with commas between`)
  return [...new Set(names)]
}

function readReductions(parameter: string, value: ParameterValue | undefined): readonly Reduction[] {
  const text = typeof value === 'string' ? value.trim() : ''
  const steps: Reduction[] = []
  for (let at = 0; at < text.length; at = STEP.lastIndex) {
    STEP.lastIndex = at
    const [, name, argument] = STEP.exec(text) ?? []
    const step = name === undefined ? undefined : reductionOf(name, argument?.trim())
    if (step === undefined) throw refused(`parameter ${parameter} asks for ${shown(text.slice(at).trim())}; use ${EXAMPLES}`)
    const before = steps.at(-1)
    if (before?.name === 'argmax' || before?.name === 'top-k') throw refused(`parameter ${parameter} has a step after ${before.name}, which must be the last`)
    steps.push(step)
  }
  if (steps.length === 0) throw refused(`parameter ${parameter} is ${shown(value ?? '')}; use ${EXAMPLES}`)
  return steps
}

function reductionOf(name: string, argument: string | undefined): Reduction | undefined {
  switch (name) {
    case 'argmax':
      return argument === undefined || argument === 'int64' || argument === 'int32' ? { name, type: argument ?? 'int64' } : undefined
    case 'top-k':
      return argument !== undefined && /^[1-9]\d{0,5}$/.test(argument) ? { name, count: Number(argument) } : undefined
    case 'mean-pool':
      return argument === undefined || argument === '' ? undefined : { name, mask: argument }
    case 'l2-normalize':
    case 'softmax':
      return argument === undefined ? { name } : undefined
    default:
      return undefined
  }
}

function shown(value: ParameterValue): string {
  const text = value instanceof Uint8Array ? `${value.byteLength} bytes` : JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}

function refused(message: string): MotorpoolError {
  return new MotorpoolError('ERR_INVALID_INPUT', message)
}
