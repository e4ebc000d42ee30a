import { BYTES, TEXT } from './cbor-writer.ts'
import { giveUp } from './give-up.ts'

/** Below these an argument of 1, 2, 4 or 8 bytes has a shorter form. */
const LEAST_ARGUMENT = [24, 0x100, 0x10000, 0x100000000]

/** V8 keeps arrays of up to so many bytes in its heap, where they cost a fraction of what longer ones do. */
const MOST_SHORT_BYTES = 64

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Reads the items of canonical dag-cbor; gives up at whatever is cut off or would have been written otherwise. */
export class CborReader {
  /** Where the next byte is. */
  at = 0
  readonly #bytes: Uint8Array
  /** A copy of the whole, made when the first long byte string needs memory that isn't what the message came in. */
  #copy: Uint8Array | undefined

  constructor(bytes: Uint8Array) {
    // Not a Buffer, whose slices would hold on to what the message came in.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get done(): boolean {
    return this.at === this.#bytes.length
  }

  /** The next item's first byte, which stays. */
  get first(): number {
    return this.at < this.#bytes.length ? (this.#bytes[this.at] ?? 0) : giveUp()
  }

  /** The argument of an item of this major type, a safe integer. */
  head(major: number): number {
    const { first } = this
    if (first >> 5 !== major) giveUp()
    this.at++
    const minor = first & 0x1f
    if (minor < 24) return minor
    if (minor > 27) giveUp()
    const size = minor - 24
    const start = this.at
    this.at += 1 << size
    if (this.at > this.#bytes.length) giveUp()
    let value = 0
    for (let at = start; at < this.at; at++) value = value * 256 + (this.#bytes[at] ?? 0)
    if (value < (LEAST_ARGUMENT[size] ?? 0) || value > Number.MAX_SAFE_INTEGER) giveUp()
    return value
  }

  /** Whether these bytes come next, from `start` on; goes past them if so. */
  skip(chunk: Uint8Array, start = this.at): boolean {
    const { length } = chunk
    if (start + length > this.#bytes.length) return false
    for (let index = 0; index < length; index++) if (this.#bytes[start + index] !== chunk[index]) return false
    this.at = start + length
    return true
  }

  /** A byte string of `least` to `most` bytes: a short one on memory of its own, long ones on memory that they share with those of the same message. */
  bytes(least: number, most: number): Uint8Array {
    const length = this.head(BYTES)
    if (length < least || length > most) giveUp()
    const start = this.at
    const end = this.#past(length)
    if (length <= MOST_SHORT_BYTES) return this.#bytes.slice(start, end)
    this.#copy ??= this.#bytes.slice()
    return this.#copy.subarray(start, end)
  }

  text(): string {
    const length = this.head(TEXT)
    const start = this.at
    const text = decoder.decode(this.#bytes.subarray(start, this.#past(length)))
    if (text.includes('\uFFFD') || text.startsWith('\uFEFF')) giveUp()
    return text
  }

  /** What was read since `start`. */
  copyFrom(start: number): Uint8Array {
    return this.#bytes.slice(start, this.at)
  }

  /** The byte that lies so far ahead; 0 past the end. */
  peek(ahead: number): number {
    return this.at + ahead < this.#bytes.length ? (this.#bytes[this.at + ahead] ?? 0) : 0
  }

  /** Whether the item at `first` comes before the one at `second`, which ends here, in the order of their bytes. */
  rises(first: number, second: number): boolean {
    for (let ahead = 0; second + ahead < this.at; ahead++) {
      const difference = (this.#bytes[first + ahead] ?? 0) - (this.#bytes[second + ahead] ?? 0)
      if (difference !== 0) return difference < 0
    }
    return false
  }

  #past(length: number): number {
    this.at += length
    return this.at > this.#bytes.length ? giveUp() : this.at
  }
}
