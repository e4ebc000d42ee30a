import { z } from 'zod'
import { bytes, bytesUpTo } from '../protocol/announcement.ts'
import { decodeCbor, encodeCbor } from '../protocol/cbor.ts'
import { isMotorpoolError, MotorpoolError } from '../protocol/errors.ts'
import { equalBytes, sha256 } from '../protocol/ids.ts'
import { LIMITS } from '../protocol/limits.ts'

const envelope = bytesUpTo(LIMITS.signedMessage)

const receiptFileSchema = z.strictObject({
  v: z.literal(1),
  /** Envelope of the flush, signed by the car account. */
  flush: envelope,
  /** dag-cbor of the leaf. */
  leaf: envelope,
  proof: z.strictObject({ index: z.int().nonnegative(), path: z.array(bytes(32)).max(32) }),
  /** Envelope that ties the car account to a peer id and to the client. */
  binding: envelope,
  /** What opens the salted digests; null when redacted. */
  opening: z.strictObject({ salt: bytes(32) }).nullable(),
  /** First 8 bytes of sha256 over the dag-cbor of the rest: shows damage, the salt's too, and proves nothing beyond. */
  sum: bytes(8)
})

/** A receipt file's contents. */
export type Receipt = Omit<z.infer<typeof receiptFileSchema>, 'v' | 'sum'>

/** A receipt as a file: dag-cbor, at most `LIMITS.receiptFile` bytes. */
export function encodeReceipt(receipt: Receipt): Uint8Array {
  const {
    flush,
    leaf,
    proof: { index, path },
    binding,
    opening
  } = receipt
  const rest = { v: 1, flush, leaf, proof: { index, path }, binding, opening }
  return encodeCbor({ ...rest, sum: sumOf(rest) })
}

/** Reads a receipt file; throws `ERR_BAD_RECEIPT` when it is none or damaged. Its signatures are `verifyReceipt`'s business. */
export function decodeReceipt(file: Uint8Array): Receipt {
  const { receipt, intact } = readReceipt(file)
  if (!intact) throw new MotorpoolError('ERR_BAD_RECEIPT', 'the receipt file is damaged: its checksum does not fit; get it again')
  return receipt
}

/** The same receipt without the salt: whoever holds it can't test guesses of the input or output. */
export function redactReceipt(file: Uint8Array): Uint8Array {
  return encodeReceipt({ ...decodeReceipt(file), opening: null })
}

/** Reads a file without insisting on its checksum, so that a verifier can first name the part that is damaged. */
export function readReceipt(file: Uint8Array): { readonly receipt: Receipt; readonly intact: boolean } {
  try {
    const { sum, ...rest } = decodeCbor(file, receiptFileSchema, LIMITS.receiptFile)
    const { v: _, ...receipt } = rest
    return { receipt, intact: equalBytes(sum, sumOf(rest)) }
  } catch (cause) {
    if (!isMotorpoolError(cause)) throw cause
    throw new MotorpoolError('ERR_BAD_RECEIPT', `the receipt file's frame is wrong: ${cause.message}`, { cause })
  }
}

function sumOf(rest: object): Uint8Array {
  return sha256(encodeCbor(rest)).subarray(0, 8)
}
