import { MotorpoolError } from '../../protocol/errors.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { decodeTransferHead, type TransferHead } from '../../protocol/transfer.ts'

/** Head length and payload length, u32 big-endian each. */
export const LENGTHS_BYTES = 8

export interface TransferReaderInit {
  /** A transfer begins; returns what takes the views of its payload, in order. */
  readonly onTransfer: (head: TransferHead, byteLength: number) => (chunk: Uint8Array) => void
}

export interface TransferReader {
  /** Throws `ERR_BAD_FRAME` for lengths over the limits, before buffering, and what decoding a head throws. */
  readonly read: (chunk: Uint8Array) => void
  /** Whether the bytes so far end in the middle of a transfer. */
  readonly midway: boolean
}

/** Cuts a byte stream into transfers; payloads are views of the chunks that they came in. */
export function createTransferReader(init: TransferReaderInit): TransferReader {
  const lengths = new Uint8Array(LENGTHS_BYTES)
  const view = new DataView(lengths.buffer)
  let lengthsFilled = 0
  let headLeft = 0
  let headParts: Uint8Array[] = []
  let payloadLeft = 0
  let push: ((chunk: Uint8Array) => void) | undefined

  const checkLengths = () => {
    const [headLength, payloadLength] = [view.getUint32(0), view.getUint32(4)]
    if (headLength === 0 || headLength > LIMITS.transferHead) throw badLength('head', headLength, LIMITS.transferHead)
    if (payloadLength > LIMITS.transferPayload) throw badLength('payload', payloadLength, LIMITS.transferPayload)
    headLeft = headLength
  }
  const begin = () => {
    const bytes = headParts.length === 1 && headParts[0] !== undefined ? headParts[0] : Buffer.concat(headParts)
    headParts = []
    lengthsFilled = 0
    payloadLeft = view.getUint32(4)
    push = init.onTransfer(decodeTransferHead(bytes), payloadLeft)
  }

  return {
    read: chunk => {
      let at = 0
      const take = (most: number) => {
        const part = at === 0 && chunk.length <= most ? chunk : chunk.subarray(at, at + most)
        at += part.length
        return part
      }
      while (at < chunk.length) {
        if (payloadLeft > 0) {
          const part = take(payloadLeft)
          payloadLeft -= part.length
          push?.(part)
        } else if (lengthsFilled < LENGTHS_BYTES) {
          const part = take(LENGTHS_BYTES - lengthsFilled)
          lengths.set(part, lengthsFilled)
          lengthsFilled += part.length
          if (lengthsFilled === LENGTHS_BYTES) checkLengths()
        } else {
          const part = take(headLeft)
          headParts.push(part)
          headLeft -= part.length
          if (headLeft === 0) begin()
        }
      }
    },
    get midway() {
      return lengthsFilled > 0 || payloadLeft > 0
    }
  }
}

function badLength(what: string, length: number, limit: number): MotorpoolError {
  return new MotorpoolError(
    'ERR_BAD_FRAME',
    `a transfer announces a ${what} of ${length} bytes, at most ${limit} are allowed and a head has some; the link is closed`
  )
}
