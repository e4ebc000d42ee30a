import { z } from 'zod'
import { bytes, extension } from '../protocol/announcement.ts'
import { checkFields, encodeCbor } from '../protocol/cbor.ts'
import { byteString, nullable, record, seldom, text, unsigned } from '../protocol/encoding/shape.ts'
import { decodeShaped, encodeShape } from '../protocol/encoding/shape-codec.ts'
import { MotorpoolError } from '../protocol/errors.ts'
import { LIMITS } from '../protocol/limits.ts'

const ENERGY_SOURCES = ['unknown', 'estimated', 'measured', 'declared'] as const
const CURRENCY = /^[A-Z]{3}$/
const integer = z.int().nonnegative()

/** What the price counts. */
export const unitsSchema = z.strictObject({ items: integer, tokensIn: integer, tokensOut: integer })
export type Units = z.infer<typeof unitsSchema>

/** Money in 10⁻⁶ of `unit` (ISO 4217; `XXX` for volunteers). */
export const amountSchema = z.strictObject({ amount: integer, unit: z.string().regex(CURRENCY) })
export type Amount = z.infer<typeof amountSchema>

/** What a car states of one part of one attempt at a task. It is no use alone: a flush signs the tree that it stands in. */
export const leafSchema = z.strictObject({
  /** Rises within the lease. */
  seq: integer,
  task: bytes(16),
  attempt: integer.min(1),
  /** Parts of one result that come one after another; 0 for a whole one. */
  part: integer,
  /** Salted digests, see `saltedDigest`. */
  input: bytes(32),
  output: bytes(32),
  /** Positions [from, to) of the generated tokens, and the token chain before and after them; null when there are none. */
  tokens: z
    .strictObject({ from: integer, to: integer, prev: bytes(32), end: bytes(32) })
    .refine(areInOrder, { message: 'must not end before it begins' })
    .nullable(),
  /** Rows that ran in one batch; 1 when alone. */
  together: integer.min(1),
  units: unitsSchema,
  /** `at`: seconds since 1970 UTC, a whole minute, so that it tells no more than a payer knows. */
  times: z.strictObject({ at: integer.multipleOf(60), queuedUs: integer, ranUs: integer }),
  /** Millijoules; both 0 when nothing is known. */
  energy: z
    .strictObject({ marginalMj: integer, attributedMj: integer, by: z.enum(ENERGY_SOURCES) })
    .refine(isZeroWhenUnknown, { message: 'must be 0 when unknown' }),
  price: amountSchema,
  ext: extension
})
export type Leaf = z.infer<typeof leafSchema>

const count = unsigned()
const hash = byteString(32)
export const leafShape = record<Leaf>({
  seq: count,
  task: byteString(16),
  attempt: unsigned(1),
  part: count,
  input: hash,
  output: hash,
  tokens: nullable(record<NonNullable<Leaf['tokens']>>({ from: count, to: count, prev: hash, end: hash }, areInOrder)),
  together: unsigned(1),
  units: record<Units>({ items: count, tokensIn: count, tokensOut: count }),
  times: record<Leaf['times']>({ at: unsigned(0, Number.MAX_SAFE_INTEGER, 60), queuedUs: count, ranUs: count }),
  energy: record<Leaf['energy']>(
    { marginalMj: count, attributedMj: count, by: text(word => ENERGY_SOURCES.some(source => source === word)) },
    isZeroWhenUnknown
  ),
  price: record<Amount>({ amount: count, unit: text(word => CURRENCY.test(word)) }),
  ext: seldom
})

/** A leaf's dag-cbor, about 290 bytes; throws `ERR_SCHEMA` when a field doesn't fit. */
export function encodeLeaf(leaf: Leaf): Uint8Array {
  const encoded = encodeShape(leafShape, leaf)
  if (encoded !== undefined) return encoded
  checkFields(leaf, leafSchema)
  return encodeCbor(leaf)
}

/** Throws `ERR_TOO_LARGE`, `ERR_BAD_ENCODING` or `ERR_SCHEMA`. */
export function decodeLeaf(encoded: Uint8Array): Leaf {
  return decodeShaped(encoded, leafShape, leafSchema, LIMITS.signedMessage)
}

/** Seconds since 1970 UTC, rounded down to the whole minute that a leaf tells. */
export function wholeMinute(unixSeconds: number): number {
  if (!Number.isFinite(unixSeconds) || unixSeconds < 0) throw new MotorpoolError('ERR_INVALID_OPTION', `${unixSeconds} is not a time after 1970; set the clock`)
  return Math.floor(unixSeconds / 60) * 60
}

function areInOrder({ from, to }: { readonly from: number; readonly to: number }): boolean {
  return from <= to
}

function isZeroWhenUnknown({ marginalMj, attributedMj, by }: { readonly marginalMj: number; readonly attributedMj: number; readonly by: string }): boolean {
  return by !== 'unknown' || (marginalMj === 0 && attributedMj === 0)
}
