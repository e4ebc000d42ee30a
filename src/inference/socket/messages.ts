import type { ErrorCode } from '../../protocol/errors.ts'
import type { Value } from '../../protocol/tensor.ts'

/** To the worker: run this, or take back a task that has not begun. Each `run` has one answer, `done` or `failed`. */
export type WorkerRequest =
  | {
      readonly type: 'run'
      readonly id: number
      readonly value: Value
      /** What is left of the task's time. */
      readonly limitMs: number
      /** It was in a batch that took its worker with it. */
      readonly alone: boolean
    }
  | { readonly type: 'drop'; readonly id: number }

/** From the worker: tasks are begun and answered in their order, but for those of a batch and those taken back. */
export type WorkerReply =
  | {
      readonly type: 'done'
      readonly id: number
      readonly value: Value
      /** `valueDigest` of the value, 32 bytes. */
      readonly digest: Uint8Array
      readonly waitedUs: number
      readonly ranUs: number
      readonly together: number
    }
  | { readonly type: 'failed'; readonly id: number; readonly code: ErrorCode; readonly message: string }
