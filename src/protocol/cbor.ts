import * as dagCbor from '@ipld/dag-cbor'
import { decode } from 'cborg'
import type { z } from 'zod'
import { MOST_DEPTH, RESERVED_KEYS, StrictTokenizer } from './encoding/strict-tokenizer.ts'
import { MotorpoolError } from './errors.ts'

const DECODE_OPTIONS = { ...dagCbor.decodeOptions, tags: {} }
const reservedKeys: ReadonlySet<string> = new Set(RESERVED_KEYS)

/**
 * Strict dag-cbor of null, booleans, integers within ±(2⁵³−1), strings, bytes, arrays and plain objects.
 * Throws `ERR_BAD_ENCODING` for anything else: floats, `undefined`, bigints, class instances, CIDs, lone surrogates, a
 * leading byte-order mark, the keys `__proto__` and `/`, more than 16 levels.
 */
export function encodeCbor(value: unknown): Uint8Array {
  checkEncodable(value, 0)
  const bytes = dagCbor.encode(value)
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * Decodes what `encodeCbor` would have written, and nothing else. Throws `ERR_TOO_LARGE` above `limit` bytes,
 * `ERR_BAD_ENCODING` for any other spelling (floats, trailing bytes, unsorted or repeated keys, overlong lengths, tags,
 * bad UTF-8), and `ERR_SCHEMA` naming the first field that doesn't fit.
 */
export function decodeCbor<T>(bytes: Uint8Array, schema: z.ZodType<T>, limit: number): T {
  if (bytes.byteLength > limit) throw new MotorpoolError('ERR_TOO_LARGE', `a message has ${bytes.byteLength} bytes, at most ${limit} are allowed; send less`)
  return checkFields(decodeStrictly(bytes), schema)
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

function decodeStrictly(bytes: Uint8Array): unknown {
  // Not a Buffer, whose slices would hold on to what the message came in.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    return decode(plain, { ...DECODE_OPTIONS, tokenizer: new StrictTokenizer(plain, DECODE_OPTIONS) })
  } catch (cause) {
    throw new MotorpoolError('ERR_BAD_ENCODING', 'a message is not dag-cbor in its one canonical encoding; send it whole and unchanged', { cause })
  }
}

function checkEncodable(value: unknown, depth: number): void {
  if (depth > MOST_DEPTH) throw notEncodable(`is nested deeper than ${MOST_DEPTH}`)
  switch (typeof value) {
    case 'boolean':
      return
    case 'number':
      if (!Number.isSafeInteger(value)) throw notEncodable(`holds ${value}, which is not an integer within ±(2⁵³−1)`)
      return
    case 'string':
      checkText(value)
      return
    case 'object':
      if (value === null || value instanceof Uint8Array) return
      if (Array.isArray(value)) {
        for (const item of value) checkEncodable(item, depth + 1)
        return
      }
      checkPlain(value, depth)
      return
    default:
      throw notEncodable(`holds a value of type ${typeof value}`)
  }
}

function checkPlain(value: object, depth: number): void {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw notEncodable('holds an object that is not plain')
  for (const [key, item] of Object.entries(value)) {
    if (reservedKeys.has(key)) throw notEncodable(`holds the key ${key}, which is reserved`)
    checkText(key)
    checkEncodable(item, depth + 1)
  }
}

/** A byte-order mark is refused because the decoder would drop it in silence. */
function checkText(text: string): void {
  if (!text.isWellFormed() || text.startsWith('\uFEFF')) throw notEncodable('holds text that is not Unicode, or starts with a byte-order mark')
}

function notEncodable(what: string): MotorpoolError {
  return new MotorpoolError('ERR_BAD_ENCODING', `a message ${what}; use null, booleans, integers, strings, bytes, lists and maps`)
}
