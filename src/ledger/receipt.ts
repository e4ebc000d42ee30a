import { z } from 'zod'
import { bytes, bytesUpTo } from '../protocol/announcement.ts'
import { decodeCbor, encodeCbor } from '../protocol/cbor.ts'
import { isMotorpoolError, MotorpoolError } from '../protocol/errors.ts'
import { equalBytes, sha256 } from '../protocol/ids.ts'
import { LIMITS } from '../protocol/limits.ts'

const envelope = bytesUpTo(LIMITS.signedMessage)
const SUM_BYTES = 8

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
  sum: bytes(SUM_BYTES)
})

/** A receipt file's contents. */
export type Receipt = Omit<z.infer<typeof receiptFileSchema>, 'v' | 'sum'>

/** Where `sum` stands in the file: after the map's head and `v`, as dag-cbor puts shorter keys first. */
const BEFORE_SUM = 4
/** The head of a map of seven keys, and the key `sum` with the head of eight bytes. */
const MAP_OF_SEVEN = 0xa7
const SUM_HEAD = Uint8Array.of(0x63, 0x73, 0x75, 0x6d, 0x48)

/** A receipt as a file: dag-cbor, at most `LIMITS.receiptFile` bytes. */
export function encodeReceipt(receipt: Receipt): Uint8Array {
  const {
    flush,
    leaf,
    proof: { index, path },
    binding,
    opening
  } = receipt
  const rest = encodeCbor({ v: 1, flush, leaf, proof: { index, path }, binding, opening })
  const file = new Uint8Array(rest.length + SUM_HEAD.length + SUM_BYTES)
  file.set(rest.subarray(0, BEFORE_SUM))
  file[0] = MAP_OF_SEVEN
  file.set(SUM_HEAD, BEFORE_SUM)
  file.set(sumOf(rest), BEFORE_SUM + SUM_HEAD.length)
  file.set(rest.subarray(BEFORE_SUM), BEFORE_SUM + SUM_HEAD.length + SUM_BYTES)
  return file
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
    return { receipt, intact: equalBytes(sum, sumOf(encodeCbor(rest))) }
  } catch (cause) {
    if (!isMotorpoolError(cause)) throw cause
    throw new MotorpoolError('ERR_BAD_RECEIPT', `the receipt file's frame is wrong: ${cause.message}`, { cause })
  }
}

/** Of the dag-cbor of everything else. */
function sumOf(rest: Uint8Array): Uint8Array {
  return sha256(rest).subarray(0, SUM_BYTES)
}
