import type { CborReader } from './cbor-reader.ts'
import { BYTES, type CborWriter, FALSE, MAP, NEGATIVE, NULL, TEXT, TRUE, UNSIGNED } from './cbor-writer.ts'
import { giveUp } from './give-up.ts'
import { byteString, isPlain, type Shape, text } from './shape.ts'
import { RESERVED_KEYS } from './strict-tokenizer.ts'

/** A map of names to null, booleans, integers, text and bytes of at most `most` each. */
export function dictionary(name: (text: string) => boolean, most: number): Shape {
  const key = text(key => name(key) && !RESERVED_KEYS.some(reserved => reserved === key))
  const scalar = scalarOf(most)
  return {
    write: (value, to) => {
      if (!isPlain(value)) giveUp()
      const names = Object.keys(value)
      if (names.length > 1) names.sort(byLengthAndText)
      to.head(MAP, names.length)
      for (const name of names) {
        key.write(name, to)
        scalar.write(value[name], to)
      }
    },
    read: from => {
      const value: Record<string, unknown> = {}
      let last: number | undefined
      for (let left = from.head(MAP); left > 0; left--) {
        const start = from.at
        const name = key.read(from) as string
        if (last !== undefined && !from.rises(last, start)) giveUp()
        last = start
        value[name] = scalar.read(from)
      }
      return value
    }
  }
}

/** The order of dag-cbor for ASCII, whose bytes are its characters. */
function byLengthAndText(left: string, right: string): number {
  if (Buffer.byteLength(left) !== left.length || Buffer.byteLength(right) !== right.length) giveUp()
  return left.length - right.length || (left < right ? -1 : 1)
}

function scalarOf(most: number): Shape {
  const words = text(word => word.length <= most)
  const bytes = byteString(0, most)
  return {
    write: (value, to) => {
      if (typeof value === 'string') words.write(value, to)
      else if (typeof value === 'number') writeInteger(value, to)
      else if (typeof value === 'boolean') to.byte(value ? TRUE : FALSE)
      else if (value === null) to.byte(NULL)
      else bytes.write(value, to)
    },
    read: from => {
      const { first } = from
      switch (first >> 5) {
        case UNSIGNED:
          return from.head(UNSIGNED)
        case NEGATIVE:
          return negative(from)
        case BYTES:
          return bytes.read(from)
        case TEXT:
          return words.read(from)
        default:
          from.at++
          return first === TRUE ? true : first === FALSE ? false : first === NULL ? null : giveUp()
      }
    }
  }
}

function writeInteger(value: number, to: CborWriter): void {
  if (!Number.isSafeInteger(value)) giveUp()
  if (value < 0) to.head(NEGATIVE, -1 - value)
  else to.head(UNSIGNED, value)
}

function negative(from: CborReader): number {
  const value = -1 - from.head(NEGATIVE)
  return Number.isSafeInteger(value) ? value : giveUp()
}
