/** Every way in which Motorpool refuses or fails. `docs/errors.md` says of each what to do. */
export const ERROR_CODES = [
  'ERR_ABORTED',
  'ERR_ACCOUNT_KEY',
  'ERR_ADDRESS_IN_USE',
  'ERR_ATTEMPT_USED',
  'ERR_BAD_ENCODING',
  'ERR_BAD_FRAME',
  'ERR_BAD_IMAGE',
  'ERR_BAD_MANIFEST',
  'ERR_BAD_MODEL',
  'ERR_BAD_POLICY',
  'ERR_BAD_RECEIPT',
  'ERR_BAD_RESULT',
  'ERR_BAD_SIGNATURE',
  'ERR_BAD_TRACE',
  'ERR_BUSY',
  'ERR_CARBON_INTENSITY',
  'ERR_CAR_LOST',
  'ERR_DATA_FOLDER',
  'ERR_DATA_FOLDER_LOCKED',
  'ERR_DEADLINE',
  'ERR_EXPIRED',
  'ERR_INPUT_DIGEST',
  'ERR_INPUT_TOO_LARGE',
  'ERR_INVALID_INPUT',
  'ERR_INVALID_OPTION',
  'ERR_LEAVING',
  'ERR_LINK_CLOSED',
  'ERR_MEMORY_LIMIT',
  'ERR_MODEL_NOT_ALLOWED',
  'ERR_MODEL_UNKNOWN',
  'ERR_NO_CAR',
  'ERR_NO_TESTNET',
  'ERR_NOT_ALLOWED',
  'ERR_NOT_ONNX',
  'ERR_PEER_UNREACHABLE',
  'ERR_REPLAYED',
  'ERR_RUN_FAILED',
  'ERR_SCHEMA',
  'ERR_STOPPED',
  'ERR_TIME_LIMIT',
  'ERR_TOO_LARGE',
  'ERR_WORKER_DIED'
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

/**
 * The one error class of Motorpool. `message` is one line: what was wrong and, after a semicolon, what to do.
 * `retryable` tells whether the same task may succeed on another car or later.
 */
export class MotorpoolError extends Error {
  override readonly name = 'MotorpoolError'
  readonly code: ErrorCode
  readonly retryable: boolean

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
  }
}

/** Whether `error` is a Motorpool error, with this code when one is given. */
export function isMotorpoolError(error: unknown, code?: ErrorCode): error is MotorpoolError {
  return error instanceof MotorpoolError && (code === undefined || error.code === code)
}

/** Throws the reason of an aborted signal as `ERR_ABORTED`, unless it is a Motorpool error already. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortError(signal)
}

/** The error that an aborted signal stands for. */
export function abortError(signal: AbortSignal): MotorpoolError {
  if (isMotorpoolError(signal.reason)) return signal.reason
  return new MotorpoolError('ERR_ABORTED', 'the caller aborted; submit again to run it', { cause: signal.reason })
}

/** Of signals that were made of others: these. */
const sourcesOf = new WeakMap<AbortSignal, readonly AbortSignal[]>()

/**
 * One signal that aborts with the first of these. Node 24 keeps every timeout's `AbortSignal.any()` for good that goes into another
 * `AbortSignal.any()`, so none does here.
 */
export function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  const sources = [...new Set(signals.flatMap(signal => (signal === undefined ? [] : (sourcesOf.get(signal) ?? [signal]))))]
  if (sources.length === 1 && sources[0] !== undefined) return sources[0]
  const first = AbortSignal.any(sources)
  sourcesOf.set(first, sources)
  return first
}
