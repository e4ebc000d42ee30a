import { giveUp } from './give-up.ts'

/** Major types of CBOR (RFC 8949 §3.1). */
export const UNSIGNED = 0
export const NEGATIVE = 1
export const BYTES = 2
export const TEXT = 3
export const LIST = 4
export const MAP = 5
export const FALSE = 0xf4
export const TRUE = 0xf5
export const NULL = 0xf6

/** The longest of the messages that have a shape. */
const ROOM_BYTES = 64 * 1024
/** A head and its argument. */
const LONGEST_HEAD_BYTES = 9
/** Up to here a loop costs less than the call that copies, which takes memory of its own for a short array. */
const LOOP_BYTES = 64

/** Writes dag-cbor into memory that it keeps; gives up where that is full. */
export class CborWriter {
  /** Where the next byte goes. */
  at = 0
  readonly #bytes = new Uint8Array(ROOM_BYTES)
  readonly #buffer = Buffer.from(this.#bytes.buffer)

  /** What was written since `at` was 0, until it is written over. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.at)
  }

  /** An item's first byte, which needs no argument. */
  byte(byte: number): void {
    this.#ensure(1)
    this.#bytes[this.at++] = byte
  }

  /** An item's head in its shortest form; `argument` is a safe integer from 0. */
  head(major: number, argument: number): void {
    this.#ensure(LONGEST_HEAD_BYTES)
    const first = major << 5
    if (argument < 24) {
      this.#bytes[this.at++] = first | argument
      return
    }
    const size = argument < 0x100 ? 0 : argument < 0x10000 ? 1 : argument < 0x100000000 ? 2 : 3
    this.#bytes[this.at++] = first | (24 + size)
    if (size === 3) this.#digits(Math.floor(argument / 0x100000000), 4)
    this.#digits(argument, Math.min(4, 1 << size))
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): void {
    const { length } = bytes
    this.#ensure(length)
    if (length > LOOP_BYTES) this.#bytes.set(bytes, this.at)
    else for (let index = 0; index < length; index++) this.#bytes[this.at + index] = bytes[index] ?? 0
    this.at += length
  }

  /** Text, head and UTF-8. */
  text(text: string): void {
    const length = Buffer.byteLength(text, 'utf8')
    if (length !== text.length && (!text.isWellFormed() || text.startsWith('\uFEFF'))) giveUp()
    this.head(TEXT, length)
    this.#ensure(length)
    this.at += this.#buffer.write(text, this.at, 'utf8')
  }

  /** Sets a byte that was left out. */
  patch(at: number, byte: number): void {
    this.#bytes[at] = byte
  }

  #ensure(length: number): void {
    if (this.at + length > ROOM_BYTES) giveUp()
  }

  /** The last `count` bytes of a number, big-endian. */
  #digits(value: number, count: number): void {
    for (let shift = 8 * (count - 1); shift >= 0; shift -= 8) this.#bytes[this.at++] = value >>> shift
  }
}
