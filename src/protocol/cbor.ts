import type { z } from 'zod'
import { readCbor } from './codec/read-cbor.ts'
import { writeCbor } from './codec/write-cbor.ts'
import { MotorpoolError } from './errors.ts'

/**
 * Strict dag-cbor of null, booleans, integers within ±(2⁵³−1), strings, bytes, arrays and plain objects.
 * Throws `ERR_BAD_ENCODING` for anything else: floats, `undefined`, bigints, class instances, CIDs, lone surrogates, a
 * leading byte-order mark, the keys `__proto__` and `/`, more than 16 levels.
 */
export function encodeCbor(value: unknown): Uint8Array {
  return writeCbor(value)
}

/**
 * Decodes what `encodeCbor` would have written, and nothing else. Throws `ERR_TOO_LARGE` above `limit` bytes,
 * `ERR_BAD_ENCODING` for any other spelling (floats, trailing bytes, unsorted or repeated keys, overlong lengths, tags,
 * bad UTF-8), and `ERR_SCHEMA` naming the first field that doesn't fit.
 */
export function decodeCbor<T>(bytes: Uint8Array, schema: z.ZodType<T>, limit: number): T {
  if (bytes.byteLength > limit) throw new MotorpoolError('ERR_TOO_LARGE', `a message has ${bytes.byteLength} bytes, at most ${limit} are allowed; send less`)
  return checkFields(readCbor(bytes), schema)
}

/** A value as its schema wants it; throws `ERR_SCHEMA` naming the first field that doesn't fit. */
export function checkFields<T>(value: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new MotorpoolError(
    'ERR_SCHEMA',
    `field ${oneLine(issue?.path.join('.') || '(root)')} does not fit: ${oneLine(issue?.message ?? 'unknown')}; send the version that this peer speaks`
  )
}

/** Names in an error are the sender's choice: no line breaks or terminal codes, and not long. */
function oneLine(text: string): string {
  return text.slice(0, 120).replaceAll(/\p{Cc}/gu, '?')
}
