import { type Token, Tokenizer } from 'cborg'

/** Deeper than any message of ours; keeps hostile nesting off the stack. */
export const MOST_DEPTH = 16
/** `__proto__` would change an object's prototype; an object with `/` may pass for a CID in the dag-cbor library. */
export const RESERVED_KEYS = ['__proto__', '/'] as const

/** Major types of CBOR (RFC 8949 §3.1). */
const NEGATIVE = 1
const TEXT = 3
const LIST = 4
const MAP = 5
/** `false`, `true` and `null`: the rest of major type 7 are floats, `undefined` and the like. */
const SIMPLE = [0xf4, 0xf5, 0xf6]

/** A list or map whose items are being read. */
interface Container {
  /** Items to come; a key and its value are two. */
  left: number
  readonly isMap: boolean
  /** Where the last key begins. */
  lastKey: number | undefined
  readonly parent: Container | undefined
}

/**
 * Reads canonical dag-cbor, and throws at whatever an encoder would have written otherwise: that costs a quarter of encoding a message
 * again to compare. Needs cborg's option `strict`, which sees to the shortest form of integers and lengths.
 */
export class StrictTokenizer extends Tokenizer {
  #inner: Container | undefined
  #depth = 0

  override next(): Token {
    if (this.#depth > MOST_DEPTH) throw new Error(`nested deeper than ${MOST_DEPTH}`)
    const start = this.pos()
    const token = super.next()
    const byte = this.data[start] ?? 0
    const major = byte >> 5
    if (major <= NEGATIVE ? !Number.isSafeInteger(token.value) : major > MAP && !SIMPLE.includes(byte)) throw new Error('a number or type that is not allowed')
    if (major === TEXT) this.#checkText(token.value, start)
    const inner = this.#inner
    if (inner !== undefined) {
      if (inner.isMap && inner.left % 2 === 0) this.#checkKey(inner, token, start)
      inner.left--
    }
    if (major === LIST || major === MAP) {
      this.#depth++
      this.#inner = { left: major === MAP ? 2 * token.value : token.value, isMap: major === MAP, lastKey: undefined, parent: inner }
    }
    for (; this.#inner?.left === 0; this.#inner = this.#inner.parent) this.#depth--
    return token
  }

  /** A byte-order mark, or what is not UTF-8, is dropped or replaced in silence. */
  #checkText(text: string, start: number): void {
    const minor = (this.data[start] ?? 0) & 0x1f
    const from = start + (minor < 24 ? 1 : 1 + 2 ** (minor - 24))
    const isAscii = text.length === this.pos() - from && !text.includes('\uFFFD')
    if (!isAscii && Buffer.compare(Buffer.from(text, 'utf8'), this.data.subarray(from, this.pos())) !== 0) throw new Error('text that is not UTF-8')
  }

  #checkKey(map: Container, key: Token, start: number): void {
    if (typeof key.value !== 'string' || RESERVED_KEYS.some(reserved => reserved === key.value)) throw new Error('a key that is no text or reserved')
    if (map.lastKey !== undefined && !this.#rises(map.lastKey, start)) throw new Error('keys that are unsorted or repeated')
    map.lastKey = start
  }

  /** Whether one item comes before another in the order of their bytes: the shorter text first, as its length is in front. */
  #rises(first: number, second: number): boolean {
    for (let at = 0; second + at < this.pos(); at++) {
      const difference = (this.data[first + at] ?? 0) - (this.data[second + at] ?? 0)
      if (difference !== 0) return difference < 0
    }
    return false
  }
}
