import { readFile } from 'node:fs/promises'
import { readInferenceResponse } from '../models/open-inference.ts'
import { LIMITS } from '../protocol/limits.ts'
import type { ParameterValue, Tensor, Value } from '../protocol/tensor.ts'
import { readInputFile, taskInput } from './task-input.ts'

/** The input value that a file stands for, as `run --input` would have sent it. */
export async function inputValue(path: string, parameters: Readonly<Record<string, ParameterValue>> = {}): Promise<Value> {
  const { inputs } = taskInput(await readInputFile(path, undefined), undefined, path)
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, input]): [string, Tensor] => [
      name,
      input instanceof Uint8Array ? { type: 'uint8', dims: [input.length], data: input } : input
    ])
  )
  return { kind: inputs.image instanceof Uint8Array ? 'ocr' : 'tensors', parameters, tensors }
}

/** The output value that `run --json` printed into a file. */
export async function outputValue(path: string): Promise<Value> {
  const { parameters, tensors } = readInferenceResponse(await readFile(path, 'utf8'))
  return { kind: typeof parameters.kind === 'string' ? parameters.kind.slice(0, LIMITS.name) : 'tensors', parameters: {}, tensors }
}
