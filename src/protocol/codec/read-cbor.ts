import { MotorpoolError } from '../errors.ts'
import { checkKey, checkText, MOST_DEPTH } from './write-cbor.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** Up to here a loop over ASCII costs less than a call of the decoder. */
const SHORT_TEXT_BYTES = 48

/**
 * Reads what `writeCbor` would have written, and nothing else: every other spelling of the same value is refused where it shows.
 * Byte strings are copies. Throws `ERR_BAD_ENCODING`.
 */
export function readCbor(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes)
  const value = reader.value(0)
  if (reader.at !== bytes.length) throw notCanonical()
  return value
}

class Reader {
  at = 0
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  value(depth: number): unknown {
    if (depth > MOST_DEPTH) throw notDagCbor(`it is nested deeper than ${MOST_DEPTH}`)
    const head = this.#byte()
    // Simple values: false, true and null; no floats, no `undefined`, no breaks.
    if (head === 0xf4) return false
    if (head === 0xf5) return true
    if (head === 0xf6) return null
    switch (head >> 5) {
      case 0:
        return this.#number(head)
      case 1:
        return this.#negative(head)
      case 2: {
        const from = this.#skip(this.#number(head))
        return new Uint8Array(this.#bytes.subarray(from, this.at))
      }
      case 3:
        return this.#text(head)
      case 4:
        return this.#list(head, depth)
      case 5:
        return this.#map(head, depth)
      default:
        throw notDagCbor('it holds a tag, a float or another simple value')
    }
  }

  #list(head: number, depth: number): unknown[] {
    const items: unknown[] = []
    for (let left = this.#number(head); left > 0; left--) items.push(this.value(depth + 1))
    return items
  }

  #map(head: number, depth: number): Record<string, unknown> {
    const map: Record<string, unknown> = {}
    let [from, end] = [-1, -1]
    for (let left = this.#number(head); left > 0; left--) {
      const keyHead = this.#byte()
      if (keyHead >> 5 !== 3) throw notDagCbor('a key is no text')
      const key = this.#text(keyHead)
      checkKey(key)
      // `#text` leaves the place behind the key's bytes; ASCII takes as many bytes as it has characters.
      const [keyFrom, keyEnd] = [this.#textFrom, this.at]
      if (from >= 0 && !this.#isBefore(from, end, keyFrom, keyEnd)) throw notCanonical()
      ;[from, end] = [keyFrom, keyEnd]
      map[key] = this.value(depth + 1)
    }
    return map
  }

  #textFrom = 0

  #text(head: number): string {
    const length = this.#number(head)
    const from = this.#skip(length)
    this.#textFrom = from
    const bytes = this.#bytes
    if (length <= SHORT_TEXT_BYTES) {
      let text = ''
      let at = from
      while (at < this.at) {
        const byte = bytes[at] ?? 0x80
        if (byte > 0x7f) break
        text += String.fromCharCode(byte)
        at++
      }
      if (at === this.at) return text
    }
    let text: string
    try {
      text = utf8.decode(bytes.subarray(from, this.at))
    } catch (cause) {
      throw notDagCbor('a text is not UTF-8', cause)
    }
    checkText(text)
    return text
  }

  /** dag-cbor's order of keys: shorter ones first, then by bytes; no key twice. */
  #isBefore(from: number, end: number, nextFrom: number, nextEnd: number): boolean {
    const length = end - from
    if (length !== nextEnd - nextFrom) return length < nextEnd - nextFrom
    for (let offset = 0; offset < length; offset++) {
      const difference = (this.#bytes[from + offset] ?? 0) - (this.#bytes[nextFrom + offset] ?? 0)
      if (difference !== 0) return difference < 0
    }
    return false
  }

  #negative(head: number): number {
    const value = -1 - this.#number(head)
    if (!Number.isSafeInteger(value)) throw notDagCbor('a number is beyond ±(2⁵³−1)')
    return value
  }

  /** The number in a head, which must have its shortest form. */
  #number(head: number): number {
    const short = head & 0x1f
    if (short < 24) return short
    if (short === 24) return this.#atLeast(24, this.#byte())
    if (short === 25) return this.#atLeast(0x100, this.#byte() * 0x100 + this.#byte())
    if (short === 26) return this.#atLeast(0x10000, this.#word())
    if (short !== 27) throw notDagCbor('a length is not definite')
    const value = this.#atLeast(2 ** 32, this.#word() * 2 ** 32 + this.#word())
    if (!Number.isSafeInteger(value)) throw notDagCbor('a number is beyond ±(2⁵³−1)')
    return value
  }

  #atLeast(least: number, value: number): number {
    if (value < least) throw notCanonical()
    return value
  }

  #word(): number {
    return ((this.#byte() * 0x100 + this.#byte()) * 0x100 + this.#byte()) * 0x100 + this.#byte()
  }

  #byte(): number {
    const byte = this.#bytes[this.at++]
    if (byte === undefined) throw notDagCbor('it ends early')
    return byte
  }

  /** Passes over so many bytes and tells where they begin. */
  #skip(length: number): number {
    const from = this.at
    if (length > this.#bytes.length - from) throw notDagCbor('it ends early')
    this.at = from + length
    return from
  }
}

function notDagCbor(what: string, cause?: unknown): MotorpoolError {
  return new MotorpoolError('ERR_BAD_ENCODING', `a message is not dag-cbor: ${what}; send it whole and unchanged`, { cause })
}

function notCanonical(): MotorpoolError {
  return new MotorpoolError('ERR_BAD_ENCODING', 'a message is not in its one canonical encoding; encode it as strict dag-cbor')
}
