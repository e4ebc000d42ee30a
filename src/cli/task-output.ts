import type { TaskResult } from '../client/client.ts'
import type { StoredModel } from '../models/model.ts'
import { inferenceResponse } from '../models/open-inference.ts'
import type { TaskInput } from './task-input.ts'

/** The text of an OCR result; undefined when the model gives none. */
export function textOf(result: TaskResult): string | undefined {
  const text = result.outputs.text
  return text?.type === 'uint8' ? new TextDecoder().decode(text.data) : undefined
}

/**
 * A result as JSON: the Open Inference Protocol's response, with the car, the attempt and the times in `parameters`,
 * and an OCR result's text beside its tensors. `kind` lets `verify --output` rebuild what the receipt's digest covers.
 */
export function resultJson(result: TaskResult, input: TaskInput, model: StoredModel | undefined): Record<string, unknown> {
  const text = model?.manifest.task === 'ocr' ? textOf(result) : undefined
  const response = inferenceResponse(result.outputs, {
    model: model?.manifest.name ?? result.model,
    version: String(model?.manifest.version ?? 1),
    id: input.id ?? result.task,
    outputs: input.outputs,
    parameters: {
      kind: model?.manifest.task ?? 'tensors',
      car: result.car,
      attempt: result.attempt,
      total_ms: Math.round(result.times.totalMs),
      run_us: result.times.ranUs
    }
  })
  return text === undefined ? response : { ...response, text }
}
