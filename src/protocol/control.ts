import { z } from 'zod'
import { bytes, bytesUpTo, extension, price } from './announcement.ts'
import { decodeCbor, encodeCbor } from './cbor.ts'
import { byteString, list, literal, record } from './encoding/shape.ts'
import { decodeShaped, encodeShape } from './encoding/shape-codec.ts'
import { ERROR_CODES } from './errors.ts'
import { LIMITS } from './limits.ts'

const integer = z.int().nonnegative()
const envelope = bytesUpTo(LIMITS.signedMessage)

/** A car's answer to an announcement. Payload type `motorpool/offer/1`, signed by the car's peer key; sent inside `offer`. */
export const offerSchema = z.strictObject({
  v: z.literal(1),
  task: bytes(16),
  round: integer,
  model: bytesUpTo(64),
  car: bytesUpTo(64),
  client: bytesUpTo(64),
  /** Tasks that this client may have under way here at once: those that run, and those that wait here so that the car never does. */
  slots: integer.min(1).max(1024),
  /** Tasks that the car runs at the same time, side by side or in one batch. */
  parallel: integer.min(1).max(1024),
  /** Tasks ahead of it on the car. */
  queued: integer,
  /** Expected time from award to the first result, microseconds, from this car's own measurements; 0 when it never ran this model. */
  completionUs: integer,
  /** Median run time of one task of this model on this car, microseconds; 0 when never run. */
  runUs: integer,
  price,
  /** Odds of staying for the announced task's length, in millionths, in coarse steps; null when unknown. */
  stay: integer.max(1_000_000).nullable(),
  /** Expected marginal energy of one task, millijoules; null when unknown. */
  energyMj: integer.nullable(),
  issued: integer,
  expires: integer,
  ext: extension
})
export type Offer = z.infer<typeof offerSchema>

/** Ties the car's account for this client to its peer key of today. Payload type `motorpool/binding/1`, signed by the car account; sent beside the offer. */
export const bindingSchema = z.strictObject({
  v: z.literal(1),
  account: bytes(32),
  peer: bytesUpTo(64),
  /** The client's account. */
  client: bytes(32),
  /** The nonce of the client's hello. */
  nonce: bytes(32),
  /** Seconds since 1970 UTC, at most 24 h ahead. */
  expires: integer,
  ext: extension
})
export type Binding = z.infer<typeof bindingSchema>

/** The client's choice of an offer; opens a lease named by sha256 of this envelope. Payload type `motorpool/award/1`, signed by the client account. */
export const awardSchema = z.strictObject({
  v: z.literal(1),
  client: bytes(32),
  car: bytes(32),
  /** sha256 of the offer's envelope. */
  offer: bytes(32),
  model: bytesUpTo(64),
  slots: integer.min(1).max(1024),
  price,
  nonce: bytes(16),
  issued: integer,
  expires: integer,
  ext: extension
})
export type Award = z.infer<typeof awardSchema>

const LONGEST_LEAF = 1024
const MOST_LEAVES = 64
const refusalCode = z.enum(ERROR_CODES)

/** Frames of the control stream: dag-cbor, u32 big-endian length, at most `LIMITS.controlFrame` bytes. */
export const controlSchema = z.discriminatedUnion('type', [
  /** First frame of either side. A client that means to submit tells its account and a nonce; a car its signed capacity and, per model, the depth of its shard. */
  z.strictObject({
    type: z.literal('hello'),
    v: z.literal(1),
    agent: z.string().max(128),
    account: bytes(32).optional(),
    nonce: bytes(32).optional(),
    capacity: bytesUpTo(LIMITS.capacityRecord).optional(),
    /** [model CID bytes, shard prefix such as `` or `01`, cars it counts in that shard] */
    shards: z
      .array(
        z.tuple([
          bytesUpTo(64),
          z
            .string()
            .regex(/^[01]*$/)
            .max(32),
          integer
        ])
      )
      .max(32)
      .optional(),
    ext: extension
  }),
  /** Sign of life. `sent` is the sender's own clock in ms, `echo` the last `sent` of the other side plus the ms since, for the round trip. */
  z.strictObject({ type: z.literal('beat'), sent: integer, echo: integer.nullable() }),
  z.strictObject({ type: z.literal('offer'), offer: envelope, binding: envelope }),
  /** To the car whose offer was not taken. */
  z.strictObject({ type: z.literal('decline'), task: bytes(16) }),
  z.strictObject({ type: z.literal('award'), award: envelope }),
  z.strictObject({ type: z.literal('granted'), lease: bytes(32), slots: integer.min(1).max(1024) }),
  /** The award is refused; try the next-ranked offer. */
  z.strictObject({ type: z.literal('busy'), lease: bytes(32), code: refusalCode, retryAfterMs: integer }),
  z.strictObject({ type: z.literal('cancel'), lease: bytes(32), task: bytes(16), attempt: integer }),
  /** A task ends without result. `retryable`: another car may do it. */
  z.strictObject({
    type: z.literal('failed'),
    lease: bytes(32),
    task: bytes(16),
    attempt: integer,
    code: refusalCode,
    message: z.string().max(1024),
    retryable: z.boolean()
  }),
  /** The vehicle departs: what cannot end in `secondsLeft` is to be moved now. */
  z.strictObject({ type: z.literal('leaving'), secondsLeft: integer, reason: z.string().max(128) }),
  /** Car to client, after unsigned results: the flush that signs them, and its leaves (dag-cbor) in the order of its tree. */
  z.strictObject({ type: z.literal('receipts'), lease: bytes(32), flush: envelope, leaves: z.array(bytesUpTo(LONGEST_LEAF)).min(1).max(MOST_LEAVES) }),
  /** Either side ends a lease. */
  z.strictObject({ type: z.literal('release'), lease: bytes(32) })
])
export type ControlMessage = z.infer<typeof controlSchema>
export type Hello = Extract<ControlMessage, { type: 'hello' }>

type Receipts = Extract<ControlMessage, { type: 'receipts' }>

export const receiptsShape = record<Receipts>({
  type: literal('receipts'),
  lease: byteString(32),
  flush: byteString(0, LIMITS.signedMessage),
  leaves: list(byteString(0, LONGEST_LEAF), 1, MOST_LEAVES)
})
/** The first byte of `receipts`, as of other maps of four. */
const RECEIPTS_BYTE = 0xa4

/** A message's dag-cbor, unchecked; throws as `encodeCbor`. */
export function encodeControl(message: ControlMessage): Uint8Array {
  return (message.type === 'receipts' ? encodeShape(receiptsShape, message) : undefined) ?? encodeCbor(message)
}

/** Throws as `decodeCbor`. */
export function decodeControl(bytes: Uint8Array): ControlMessage {
  return bytes[0] === RECEIPTS_BYTE
    ? decodeShaped(bytes, receiptsShape, controlSchema, LIMITS.controlFrame)
    : decodeCbor(bytes, controlSchema, LIMITS.controlFrame)
}
