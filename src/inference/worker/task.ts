import type { Value } from '../../protocol/tensor.ts'
import type { ModelSignature } from '../runner.ts'

/** A model in this process, ready to run one value after another. */
export interface LoadedTask {
  /** `tensors`, or the name of a pipeline. */
  readonly kind: string
  readonly signature: ModelSignature
  /**
   * Runs a value and returns its outputs, all of them unless some are named. Errors: `ERR_INVALID_INPUT`, `ERR_BAD_IMAGE`,
   * `ERR_RUN_FAILED`, `ERR_MEMORY_LIMIT`.
   */
  run: (input: Value, outputs?: readonly string[]) => Promise<Value['tensors']>
}
