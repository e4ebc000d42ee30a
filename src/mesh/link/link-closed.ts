import { isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'

/** The error of whatever was under way on a link or stream that ended. */
export function linkClosed(what: string, cause?: unknown): MotorpoolError {
  if (isMotorpoolError(cause)) return cause
  return new MotorpoolError('ERR_LINK_CLOSED', `${what}; link again or take another peer`, { cause, retryable: true })
}
