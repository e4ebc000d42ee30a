import { abortError, anySignal, throwIfAborted } from '../protocol/errors.ts'

/** The promise's outcome, or `ERR_ABORTED` as soon as the signal aborts. */
export async function withSignal<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  // Whoever aborted no longer listens to the promise; its late failure is nobody's.
  promise.catch(() => {})
  throwIfAborted(signal)
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(abortError(signal))
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** One signal that aborts with the first of these, or after `timeoutMs`. */
export function limitedSignal(timeoutMs: number, ...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return anySignal(AbortSignal.timeout(timeoutMs), ...signals)
}
