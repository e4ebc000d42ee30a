import { MotorpoolError } from '../errors.ts'

/** Deeper than any message of ours; keeps hostile nesting off the stack. */
export const MOST_DEPTH = 16

const FIRST_SCRATCH_BYTES = 16 * 1024
/** A larger scratch is given back after the message that needed it. */
const KEPT_SCRATCH_BYTES = 1024 * 1024
/** Major types of RFC 8949 §3.1, in the upper three bits of a head. */
const [UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP] = [0x00, 0x20, 0x40, 0x60, 0x80, 0xa0] as const
const [FALSE, TRUE, NULL] = [0xf4, 0xf5, 0xf6] as const

let scratch = Buffer.allocUnsafeSlow(FIRST_SCRATCH_BYTES)
let at = 0

/** The one canonical encoding of a value; errors as `encodeCbor`. Its own code, as general libraries take several times as long for our small messages. */
export function writeCbor(value: unknown): Uint8Array {
  at = 0
  try {
    write(value, 0)
    return new Uint8Array(scratch.subarray(0, at))
  } finally {
    if (scratch.length > KEPT_SCRATCH_BYTES) scratch = Buffer.allocUnsafeSlow(FIRST_SCRATCH_BYTES)
  }
}

function write(value: unknown, depth: number): void {
  if (depth > MOST_DEPTH) throw notEncodable(`is nested deeper than ${MOST_DEPTH}`)
  switch (typeof value) {
    case 'boolean':
      return writeByte(value ? TRUE : FALSE)
    case 'number':
      if (!Number.isSafeInteger(value)) throw notEncodable(`holds ${value}, which is not an integer within ±(2⁵³−1)`)
      return value >= 0 ? writeHead(UNSIGNED, value) : writeHead(NEGATIVE, -1 - value)
    case 'string':
      return writeText(value)
    case 'object':
      if (value === null) return writeByte(NULL)
      if (value instanceof Uint8Array) {
        writeHead(BYTES, value.length)
        reserve(value.length)
        scratch.set(value, at)
        at += value.length
      } else if (Array.isArray(value)) {
        writeHead(ARRAY, value.length)
        for (let index = 0; index < value.length; index++) write(value[index], depth + 1)
      } else {
        writeMap(value as Record<string, unknown>, depth)
      }
      return
    default:
      throw notEncodable(`holds a value of type ${typeof value}`)
  }
}

function writeMap(map: Readonly<Record<string, unknown>>, depth: number): void {
  const prototype: unknown = Object.getPrototypeOf(map)
  if (prototype !== Object.prototype && prototype !== null) throw notEncodable('holds an object that is not plain')
  const keys = Object.keys(map).map(keyOf)
  if (keys.length > 1) keys.sort(compareKeys)
  writeHead(MAP, keys.length)
  for (const { name, encoded } of keys) {
    reserve(encoded.length)
    for (let index = 0; index < encoded.length; index++) scratch[at++] = encoded[index] ?? 0
    write(map[name], depth + 1)
  }
}

interface Key {
  readonly name: string
  readonly encoded: Uint8Array
}

/** Field names come again in every message; parameters may have others. */
const KNOWN_KEYS_MOST = 512
const KNOWN_KEY_LENGTH = 32
const knownKeys = new Map<string, Key>()

function keyOf(name: string): Key {
  const known = knownKeys.get(name)
  if (known !== undefined) return known
  checkKey(name)
  const from = at
  writeText(name)
  const key: Key = { name, encoded: new Uint8Array(scratch.subarray(from, at)) }
  at = from
  if (name.length <= KNOWN_KEY_LENGTH && knownKeys.size < KNOWN_KEYS_MOST) knownKeys.set(name, key)
  return key
}

function writeText(text: string): void {
  checkText(text)
  const length = Buffer.byteLength(text, 'utf8')
  writeHead(TEXT, length)
  reserve(length)
  at += scratch.write(text, at, 'utf8')
}

function writeByte(byte: number): void {
  reserve(1)
  scratch[at++] = byte
}

/** A major type with the shortest form of its number. */
function writeHead(major: number, value: number): void {
  reserve(9)
  if (value < 24) {
    scratch[at++] = major | value
  } else if (value < 0x100) {
    scratch[at++] = major | 24
    scratch[at++] = value
  } else if (value < 0x10000) {
    scratch[at++] = major | 25
    at = scratch.writeUInt16BE(value, at)
  } else if (value < 2 ** 32) {
    scratch[at++] = major | 26
    at = scratch.writeUInt32BE(value, at)
  } else {
    scratch[at++] = major | 27
    at = scratch.writeUInt32BE(Math.floor(value / 2 ** 32), at)
    at = scratch.writeUInt32BE(value % 2 ** 32, at)
  }
}

function reserve(length: number): void {
  if (at + length <= scratch.length) return
  const larger = Buffer.allocUnsafeSlow(Math.max(2 * scratch.length, at + length))
  scratch.copy(larger, 0, 0, at)
  scratch = larger
}

/** dag-cbor's order: by the length of the UTF-8, then by its bytes. */
function compareKeys({ encoded: left }: Key, { encoded: right }: Key): number {
  return left.length - right.length || Buffer.compare(left, right)
}

/** `__proto__` would change an object's prototype; an object with `/` may pass for a CID in dag-cbor libraries. */
export function checkKey(key: string): void {
  if (key === '__proto__' || key === '/') throw notEncodable(`holds the key ${key}, which is reserved`)
}

/** A byte-order mark is refused because decoders drop it in silence. */
export function checkText(text: string): void {
  if (!text.isWellFormed() || text.charCodeAt(0) === 0xfeff) throw notEncodable('holds text that is not Unicode, or starts with a byte-order mark')
}

function notEncodable(what: string): MotorpoolError {
  return new MotorpoolError('ERR_BAD_ENCODING', `a message ${what}; use null, booleans, integers, strings, bytes, lists and maps`)
}
