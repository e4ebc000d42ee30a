import { z } from 'zod'
import { bytes, bytesUpTo } from './announcement.ts'
import { encodeCbor } from './cbor.ts'
import { dictionary } from './encoding/dictionary.ts'
import { byteString, list, literal, optional, record, text, tuple, unsigned } from './encoding/shape.ts'
import { decodeShaped, encodeShape } from './encoding/shape-codec.ts'
import { ERROR_CODES, MotorpoolError } from './errors.ts'
import { LIMITS } from './limits.ts'
import { TENSOR_TYPES, type Tensor, type TensorType, tensorByteLength } from './tensor.ts'

const integer = z.int().nonnegative()
const name = z.string().min(1).max(LIMITS.name)
/** Of a text or byte string. */
const LONGEST_PARAMETER = 4096
const parameters = z.record(name, z.union([integer, z.int(), z.string().max(LONGEST_PARAMETER), z.boolean(), bytesUpTo(LONGEST_PARAMETER), z.null()]))
/** [name, type, dims, bytes in the payload]; payloads are the tensors' bytes one after another in this order. */
const tensors = z
  .array(z.tuple([name, z.enum(Object.keys(TENSOR_TYPES) as [TensorType, ...TensorType[]]), z.array(integer).max(LIMITS.tensorRank), integer]))
  .max(LIMITS.tensors)

/**
 * Heads of bulk transfers. A transfer is u32 head length, u32 payload length (big-endian), dag-cbor head, payload;
 * one at a time on each bulk stream and direction.
 */
export const transferSchema = z.discriminatedUnion('type', [
  /** Client to car: run this. */
  z.strictObject({
    type: z.literal('task'),
    lease: bytes(32),
    task: bytes(16),
    attempt: integer.min(1),
    /** 32 fresh random bytes that salt the digests of this attempt's input and output. */
    salt: bytes(32),
    /** sha256("motorpool/input/1" ‖ salt ‖ valueDigest); the car checks it before it runs. */
    input: bytes(32),
    /** Milliseconds left from receipt. */
    deadlineMs: integer,
    kind: name,
    parameters,
    tensors
  }),
  /** Car to client: the outputs, with what proves them. `proof` is absent when the receipt comes later. */
  z.strictObject({
    type: z.literal('result'),
    lease: bytes(32),
    task: bytes(16),
    attempt: integer.min(1),
    part: integer,
    kind: name,
    parameters,
    tensors,
    proof: z
      .strictObject({
        /** Envelope of the flush, signed by the car account. */
        flush: bytesUpTo(LIMITS.signedMessage),
        /** dag-cbor of the leaf. */
        leaf: bytesUpTo(LIMITS.signedMessage),
        index: integer,
        path: z.array(bytes(32)).max(32)
      })
      .optional()
  }),
  /** Asks a holder for bytes by CID (a signed manifest or a block of a file). */
  z.strictObject({ type: z.literal('want'), id: integer, cid: bytesUpTo(64) }),
  z.strictObject({ type: z.literal('block'), id: integer, cid: bytesUpTo(64) }),
  z.strictObject({ type: z.literal('missing'), id: integer, cid: bytesUpTo(64), code: z.enum(ERROR_CODES) })
])
export type TransferHead = z.infer<typeof transferSchema>
export type TaskHead = Extract<TransferHead, { type: 'task' }>
export type ResultHead = Extract<TransferHead, { type: 'result' }>
type TensorHeads = ResultHead['tensors']

const isName = (word: string) => word.length > 0 && word.length <= LIMITS.name
const shapes = {
  count: unsigned(),
  hash: byteString(32),
  envelope: byteString(0, LIMITS.signedMessage)
}
/** What both heads of a task have. */
const common = {
  lease: shapes.hash,
  task: byteString(16),
  attempt: unsigned(1),
  kind: text(isName),
  parameters: dictionary(isName, LONGEST_PARAMETER),
  tensors: list(
    tuple(
      text(isName),
      text(word => Object.hasOwn(TENSOR_TYPES, word)),
      list(shapes.count, 0, LIMITS.tensorRank),
      shapes.count
    ),
    0,
    LIMITS.tensors
  )
}
export const taskShape = record<TaskHead>({
  ...common,
  type: literal('task'),
  salt: shapes.hash,
  input: shapes.hash,
  deadlineMs: shapes.count
})
export const resultShape = record<ResultHead>({
  ...common,
  type: literal('result'),
  part: shapes.count,
  proof: optional(
    record<NonNullable<ResultHead['proof']>>({ flush: shapes.envelope, leaf: shapes.envelope, index: shapes.count, path: list(shapes.hash, 0, 32) })
  )
})
/** The first byte of a task's head: a map of ten. The heads of the other transfers have fewer fields. */
const TASK_BYTE = 0xaa

/** `room` for the transfer's lengths, then the head's dag-cbor. Throws `ERR_SCHEMA` for a head that others would refuse, and as `encodeCbor`. */
export function encodeTransferHead(head: TransferHead, room: Uint8Array): Uint8Array {
  const encoded = encodeShape(head.type === 'task' ? taskShape : resultShape, head, room)
  if (encoded !== undefined) return encoded
  const checked = transferSchema.safeParse(head)
  if (checked.success) return new Uint8Array(Buffer.concat([room, encodeCbor(head)]))
  const issue = checked.error.issues[0]
  throw new MotorpoolError('ERR_SCHEMA', `field ${issue?.path.join('.') || '(root)'} of a transfer does not fit: ${issue?.message}; send less or split it`)
}

/** Throws as `decodeCbor`. */
export function decodeTransferHead(bytes: Uint8Array): TransferHead {
  return decodeShaped(bytes, bytes[0] === TASK_BYTE ? taskShape : resultShape, transferSchema, LIMITS.transferHead)
}

/**
 * Cuts a payload into its tensors; copies only a tensor that arrived in several pieces, or each once to memory of its own, aligned
 * for any typed array and free of the larger buffer that it came in. Throws `ERR_BAD_ENCODING` when lengths don't add up.
 */
export function readTensors(heads: TensorHeads, payload: readonly Uint8Array[], memory: 'shared' | 'own' = 'shared'): Record<string, Tensor> {
  const total = payload.reduce((sum, part) => sum + part.byteLength, 0)
  if (heads.reduce((sum, [, , , byteLength]) => sum + byteLength, 0) !== total)
    throw new MotorpoolError('ERR_BAD_ENCODING', 'the tensors take other bytes than the payload has; send what the head says')
  const take = createTaker(payload, memory)
  const tensors: Record<string, Tensor> = Object.create(null)
  for (const [name, type, dims, byteLength] of heads) {
    const expected = tensorByteLength(type, dims)
    if ((expected !== undefined && expected !== byteLength) || name in tensors)
      throw new MotorpoolError('ERR_BAD_ENCODING', `tensor ${name} doesn't fit its shape or comes twice; send what the head says`)
    tensors[name] = { type, dims, data: take(byteLength) }
  }
  return { ...tensors }
}

function createTaker(payload: readonly Uint8Array[], memory: 'shared' | 'own'): (byteLength: number) => Uint8Array {
  let part = 0
  let at = 0
  return byteLength => {
    const pieces: Uint8Array[] = []
    for (let left = byteLength; left > 0; ) {
      const current = payload[part] ?? new Uint8Array(0)
      const piece = current.subarray(at, at + left)
      pieces.push(piece)
      left -= piece.byteLength
      at += piece.byteLength
      if (at >= current.byteLength) [part, at] = [part + 1, 0]
    }
    const [first] = pieces
    if (pieces.length === 1 && memory === 'shared' && first !== undefined) return first
    const whole = new Uint8Array(Buffer.allocUnsafeSlow(byteLength).buffer)
    let filled = 0
    for (const piece of pieces) {
      whole.set(piece, filled)
      filled += piece.byteLength
    }
    return whole
  }
}
