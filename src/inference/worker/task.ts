import type { Value } from '../../protocol/tensor.ts'
import type { ModelSignature } from '../runner.ts'

/** A model in this process, ready to run one value after another. */
export interface LoadedTask {
  readonly signature: ModelSignature
  /** Errors: `ERR_INVALID_INPUT`, `ERR_BAD_IMAGE`, `ERR_RUN_FAILED`, `ERR_MEMORY_LIMIT`. */
  run: (input: Value) => Promise<Value>
}
