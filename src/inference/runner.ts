import type { TensorType, Value } from '../protocol/tensor.ts'

/** Who computed a result, as far as it decides the bits (trust.md: `class`); every field but `threads` must be equal for bit-equal results. */
export interface NumericsClass {
  /** ONNX Runtime's execution provider, `cpu`. */
  readonly ep: string
  /** onnxruntime-node's version. */
  readonly ort: string
  /** `x64`, `arm64`. */
  readonly arch: string
  /** Widest instruction set that ORT uses here: `avx512`, `avx2`, `neon`, … */
  readonly isa: string
  /** Graph optimization level. */
  readonly opt: string
  /** Accelerator model, `cpu` when none. */
  readonly device: string
  readonly threads: number
}

/** What a worker needs to know of a model. */
export interface RunnableModel {
  readonly cid: string
  /** A plain ONNX model or a pipeline. */
  readonly task: 'tensors' | 'ocr'
  readonly folder: string
  /** Paths in `folder`. */
  readonly files: readonly string[]
  /**
   * `rows`: each input and output has one row for each item, and a row doesn't depend on the others, so tasks that wait may share
   * a run. @default 'none'
   */
  readonly batching?: 'none' | 'rows'
}

export interface RunRequest {
  readonly input: Value
  /** Milliseconds from now, waiting included; when they are over, a waiting task is dropped and a running one's worker killed (`ERR_TIME_LIMIT`). */
  readonly limitMs: number
}

export interface RunResult {
  readonly output: Value
  /** `valueDigest` of the output, computed in the worker. */
  readonly digest: Uint8Array
  /** From acceptance by the runner until the run began, microseconds. */
  readonly queuedUs: number
  /** The run that gave the result, of a whole batch when it was one. */
  readonly ranUs: number
  /** Rows that ran together in one batch; 1 when alone. */
  readonly together: number
}

/** Input and output names, types and dims as ONNX Runtime reports them; null where a dimension varies. */
export interface ModelSignature {
  readonly inputs: readonly { readonly name: string; readonly type: TensorType; readonly dims: readonly (number | string | null)[] }[]
  readonly outputs: readonly { readonly name: string; readonly type: TensorType; readonly dims: readonly (number | string | null)[] }[]
}

/** One loaded model, in one process or several. */
export interface Runner {
  readonly model: RunnableModel
  readonly numerics: NumericsClass
  readonly signature: ModelSignature
  /** Process ids of the workers that are ready; one that is being replaced has none. */
  readonly pids: readonly number[]
  /**
   * Runs one task. Tasks begin in their order, in each worker one at a time; where the model's rows are independent, tasks alike that wait share a
   * run as far as that is measured to pay, and give bit for bit what they give alone. Errors: `ERR_INVALID_INPUT` (names, types, shapes), `ERR_BAD_IMAGE`,
   * `ERR_TOO_LARGE`, `ERR_RUN_FAILED` (ORT said no), `ERR_TIME_LIMIT`, `ERR_MEMORY_LIMIT`, `ERR_WORKER_DIED` (the only one that
   * is retryable), `ERR_ABORTED`, `ERR_STOPPED`. After the limits and a death the other workers, and a new one
   * that is on its way, take over what waits. Aborting drops a waiting task, and kills the worker if the task still runs `killAfterAbortMs` later.
   */
  run: (request: RunRequest, options?: { readonly signal?: AbortSignal }) => Promise<RunResult>
  /** Kills the workers at once; waiting tasks reject with `ERR_STOPPED`. Resolves when they are gone. */
  stop: () => Promise<void>
}

export interface RunnerOptions {
  /**
   * Processes that each hold the model and run tasks side by side: on one ONNX Runtime session, or on several in one process, runs
   * don't overlap. @default 1
   */
  readonly workers?: number
  /** ONNX Runtime's intra-op threads in each worker. @default 1 */
  readonly threads?: number
  /**
   * Private memory, bytes, that the model may take in each worker on top of what that holds before it loads it. Allocations beyond fail
   * (`prlimit --data`); where the system has no prlimit, resident memory is watched instead. @default 2 GiB
   */
  readonly memoryLimitBytes?: number
  /** Milliseconds that a running task whose caller aborted may still take before its worker is killed. @default 1000 */
  readonly killAfterAbortMs?: number
  /** Milliseconds that loading the model may take. @default 60000 */
  readonly loadLimitMs?: number
  /** Gives up loading and kills what was started; without effect once it is loaded. */
  readonly signal?: AbortSignal
  /** Told when a worker died and was replaced, for logs. */
  readonly onRestart?: (reason: string) => void
}
