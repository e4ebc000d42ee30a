import { MotorpoolError } from '../../protocol/errors.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { encodeTransferHead, type TransferHead } from '../../protocol/transfer.ts'
import { LENGTHS_BYTES } from './transfer-reader.ts'

export type Payload = readonly Uint8Array[] | { readonly byteLength: number; readonly parts: AsyncIterable<Uint8Array> }

/** A transfer of at most this many bytes goes out in one piece and never waits for a larger one. */
export const SMALL_BYTES = 256 * 1024

const NO_LENGTHS = new Uint8Array(LENGTHS_BYTES)

/** A transfer on its way out. */
export interface Outgoing {
  /** Lengths and head. */
  readonly prefix: Uint8Array
  /** Views of the payload, when they are all there. */
  readonly parts: readonly Uint8Array[] | undefined
  /** Views of the payload as they come. */
  readonly source: AsyncIterable<Uint8Array> | undefined
  readonly byteLength: number
  readonly small: boolean
  readonly signal: AbortSignal | undefined
  /** Settles when the payload has been handed to the connection, or can't be. */
  readonly done: PromiseWithResolvers<void>
}

/** Encodes a transfer's head. Throws `ERR_TOO_LARGE` over a limit and `ERR_SCHEMA` for a head that others would refuse. */
export function createOutgoing(head: TransferHead, payload: Payload, signal: AbortSignal | undefined): Outgoing {
  const parts = isParts(payload) ? payload : undefined
  const source = isParts(payload) ? undefined : payload.parts
  const byteLength = isParts(payload) ? payload.reduce((sum, part) => sum + part.length, 0) : payload.byteLength
  if (!(byteLength <= LIMITS.transferPayload)) {
    throw new MotorpoolError('ERR_TOO_LARGE', `the payload has ${byteLength} bytes, at most ${LIMITS.transferPayload} are allowed; split or shrink it`)
  }
  const prefix = encodeTransferHead(head, NO_LENGTHS)
  const headLength = prefix.byteLength - LENGTHS_BYTES
  if (headLength > LIMITS.transferHead) {
    throw new MotorpoolError(
      'ERR_TOO_LARGE',
      `a transfer's description has ${headLength} bytes, at most ${LIMITS.transferHead} are allowed; use fewer or shorter names`
    )
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset)
  view.setUint32(0, headLength)
  view.setUint32(4, byteLength)
  const done = Promise.withResolvers<void>()
  return { prefix, parts, source, byteLength, small: parts !== undefined && byteLength <= SMALL_BYTES, signal, done }
}

function isParts(payload: Payload): payload is readonly Uint8Array[] {
  return Array.isArray(payload)
}
