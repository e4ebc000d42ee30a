import type { ErrorCode } from '../protocol/errors.ts'
import type { ModelSignature, NumericsClass, RunnableModel } from './runner.ts'

/** What a worker is started with, as JSON in its only argument. */
export interface WorkerConfiguration {
  readonly model: RunnableModel
  readonly threads: number
  readonly memoryLimitBytes: number
}

/** What a worker tells over fork's channel, once. */
export type WorkerReport =
  | {
      readonly type: 'loaded'
      readonly numerics: NumericsClass
      readonly signature: ModelSignature
    }
  | { readonly type: 'refused'; readonly code: ErrorCode; readonly message: string }
  /** No system limit could be set before the model is loaded; the parent has to watch. */
  | { readonly type: 'unconfined' }

/** The worker's file descriptor of the socket that carries tasks and results (0 to 3: stdio and fork's channel). */
export const DATA_DESCRIPTOR = 4

/** The worker's file descriptor of the note of what it runs. */
export const NOTE_DESCRIPTOR = 5
