import { MotorpoolError } from '../../protocol/errors.ts'
import type { ByteSource } from './byte-source.ts'

/** Wire types that ONNX files use; groups (3, 4) are long deprecated and refused. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

/** Large enough that small messages rarely refill it, small enough to skip from tensor to tensor cheaply. */
const WINDOW_BYTES = 64 * 1024
/** A tag and a varint or length take at most 5 + 10 bytes. */
const HEADER_BYTES = 15
const TWO_TO_32 = 2 ** 32

/**
 * Walks protobuf fields (protobuf.dev, Encoding) over bytes that it never holds whole. After `next`, `field` and `wire`
 * tell what comes; a varint is in `low` and `high`; the payload of the others lies at `from` … `to`, and is skipped
 * by the following `next` unless `at` is set back to `from` to walk into it. Throws `ERR_NOT_ONNX` on anything that isn't protobuf.
 */
export class ProtobufReader {
  at = 0
  field = 0
  wire: number = WIRE.varint
  /** Lower and upper 32 bits of the varint, unsigned. */
  low = 0
  high = 0
  from = 0
  to = 0
  readonly #source: ByteSource
  #window: Buffer = Buffer.alloc(0)
  #windowAt = 0

  constructor(source: ByteSource) {
    this.#source = source
  }

  get byteLength(): number {
    return this.#source.byteLength
  }

  /** Reads the next field's head; false at `end`. */
  next(end: number): boolean {
    if (this.at >= end) return false
    this.#load(HEADER_BYTES)
    this.#varint(end)
    // Protobuf's own parsers read tags as 32 bits; more would be another field for them than for us.
    if (this.high !== 0) throw this.broken('a field number is out of range')
    this.wire = this.low & 7
    this.field = this.low >>> 3
    if (this.field === 0) throw this.broken('field number 0')
    switch (this.wire) {
      case WIRE.varint:
        this.#varint(end)
        return true
      case WIRE.fixed64:
        return this.#payload(8, end)
      case WIRE.fixed32:
        return this.#payload(4, end)
      case WIRE.bytes:
        this.#varint(end)
        return this.#payload(this.high * TWO_TO_32 + this.low, end)
      default:
        throw this.broken(`wire type ${this.wire}`)
    }
  }

  /** Reads one varint of a packed list into `low` and `high`; false at `end`. */
  nextPacked(end: number): boolean {
    if (this.at >= end) return false
    this.#load(HEADER_BYTES)
    this.#varint(end)
    return true
  }

  /** The varint as protobuf's int64; not exact beyond ±2⁵³. */
  get int64(): number {
    return (this.high | 0) * TWO_TO_32 + this.low
  }

  /** The varint as protobuf's int32 and enums: upper bits are dropped. */
  get int32(): number {
    return this.low | 0
  }

  /** The payload as text; `ERR_BAD_MODEL` above `most` bytes. */
  text(most: number): string {
    const length = this.to - this.from
    if (length > most) throw new MotorpoolError('ERR_BAD_MODEL', `the model has a name of ${length} bytes, at most ${most} are allowed; shorten it`)
    const start = this.#reach(this.from, length)
    return this.#window.toString('utf8', start, start + length)
  }

  /** Little-endian int64 values, not exact beyond ±2⁵³, of `length` bytes from `from` on. */
  int64s(from: number, length: number): number[] {
    const start = this.#reach(from, length)
    return Array.from({ length: length >>> 3 }, (_, index) => Number(this.#window.readBigInt64LE(start + index * 8)))
  }

  broken(what: string): MotorpoolError {
    return new MotorpoolError('ERR_NOT_ONNX', `not an ONNX model, or cut off: ${what} at byte ${this.at} of ${this.byteLength}; copy or export it again`)
  }

  #payload(length: number, end: number): boolean {
    this.from = this.at
    this.to = this.at + length
    if (this.to > end) throw this.broken('a field ends beyond its message')
    this.at = this.to
    return true
  }

  #varint(end: number): void {
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= end) throw this.broken('a number ends beyond its message')
      const byte = this.#window[this.at - this.#windowAt]
      if (byte === undefined) throw this.broken('the file ends')
      this.at++
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else high |= bits << (shift - 32)
      if (byte < 0x80) {
        this.low = low >>> 0
        this.high = high >>> 0
        return
      }
    }
    throw this.broken('a number is longer than 64 bits')
  }

  /** Makes the window hold `length` bytes from `at` on, or what is left of the file. */
  #load(length: number): void {
    const offset = this.at - this.#windowAt
    if (offset < 0 || offset + length > this.#window.byteLength) this.#fill(this.at, WINDOW_BYTES)
  }

  /** Makes the window hold `length` bytes from `from` on, and returns where in it they begin. */
  #reach(from: number, length: number): number {
    const offset = from - this.#windowAt
    if (offset >= 0 && offset + length <= this.#window.byteLength) return offset
    this.#fill(from, Math.max(length, WINDOW_BYTES))
    if (this.#window.byteLength < length) throw this.broken('the file ends')
    return 0
  }

  #fill(from: number, length: number): void {
    const bytes = this.#source.read(from, length)
    this.#window = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#windowAt = from
  }
}
