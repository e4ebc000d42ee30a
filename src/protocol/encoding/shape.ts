import type { CborReader } from './cbor-reader.ts'
import { BYTES, CborWriter, LIST, MAP, NULL, UNSIGNED } from './cbor-writer.ts'
import { giveUp } from './give-up.ts'

/**
 * How values of one fixed form are written and read in one pass, checks included. Both give up at a value or spelling that isn't
 * plainly right; they accept nothing that the library codec refuses, and need not accept all that it accepts.
 */
export interface Shape {
  readonly write: (value: unknown, to: CborWriter) => void
  readonly read: (from: CborReader) => unknown
}

/** A field that may be absent. */
interface OptionalShape extends Shape {
  readonly optional: true
}

/** An integer of `least` to `most`. */
export function unsigned(least = 0, most = Number.MAX_SAFE_INTEGER, step = 1): Shape {
  const check = (value: number) => (value >= least && value <= most && (step === 1 || value % step === 0) ? value : giveUp())
  return {
    write: (value, to) => to.head(UNSIGNED, typeof value === 'number' && Number.isSafeInteger(value) ? check(value) : giveUp()),
    read: from => check(from.head(UNSIGNED))
  }
}

/** A byte string of `least` to `most` bytes; what is read is no view of the memory that the message came in. */
export function byteString(least: number, most = least): Shape {
  return {
    write: (value, to) => {
      if (!(value instanceof Uint8Array) || value.length < least || value.length > most) giveUp()
      to.head(BYTES, value.length)
      to.raw(value)
    },
    read: from => from.bytes(least, most)
  }
}

/** Names and words come again and again: so many are known with their bytes, those of ASCII whose head is one byte. */
const KNOWN_TEXTS = 64
const LONGEST_KNOWN = 24

/** Text that fits a rule, which must hold or not for good. */
export function text(fits: (text: string) => boolean): Shape {
  const known: ({ readonly text: string; readonly bytes: Uint8Array } | undefined)[] = new Array(KNOWN_TEXTS).fill(undefined)
  const place = (length: number, last: number) => (31 * length + last) % KNOWN_TEXTS
  const remember = (value: string, bytes: Uint8Array) => {
    if (value.length === bytes.length - 1) known[place(value.length, bytes.at(-1) ?? 0)] = { text: value, bytes }
  }
  return {
    write: (value, to) => {
      if (typeof value !== 'string') giveUp()
      const same = known[place(value.length, value.charCodeAt(value.length - 1) | 0)]
      if (same?.text === value) return to.raw(same.bytes)
      if (!fits(value)) giveUp()
      const start = to.at
      to.text(value)
      if (to.at - start <= LONGEST_KNOWN) remember(value, to.written.slice(start))
    },
    read: from => {
      const start = from.at
      const length = from.first & 0x1f
      const same = known[place(length, from.peek(length))]
      if (same !== undefined && from.skip(same.bytes)) return same.text
      const value = from.text()
      if (!fits(value)) giveUp()
      if (from.at - start <= LONGEST_KNOWN) remember(value, from.copyFrom(start))
      return value
    }
  }
}

/** Always this text or unsigned integer. */
export function literal(value: string | number): Shape {
  const bytes = writtenBy(writer => (typeof value === 'string' ? writer.text(value) : writer.head(UNSIGNED, value)))
  return {
    write: (given, to) => (given === value ? to.raw(bytes) : giveUp()),
    read: from => (from.skip(bytes) ? value : giveUp())
  }
}

export function nullable(shape: Shape): Shape {
  return {
    write: (value, to) => (value === null ? to.byte(NULL) : shape.write(value, to)),
    read: from => {
      if (from.first !== NULL) return shape.read(from)
      from.at++
      return null
    }
  }
}

/** A list of `least` to `most` items. */
export function list(item: Shape, least: number, most: number): Shape {
  return {
    write: (value, to) => {
      if (!Array.isArray(value) || value.length < least || value.length > most) giveUp()
      to.head(LIST, value.length)
      for (let index = 0; index < value.length; index++) item.write(value[index], to)
    },
    read: from => {
      const length = from.head(LIST)
      if (length < least || length > most) giveUp()
      const items: unknown[] = []
      for (let index = 0; index < length; index++) items.push(item.read(from))
      return items
    }
  }
}

/** A list with one item of each shape. */
export function tuple(...shapes: readonly Shape[]): Shape {
  return {
    write: (value, to) => {
      if (!Array.isArray(value) || value.length !== shapes.length) giveUp()
      to.head(LIST, shapes.length)
      for (let index = 0; index < shapes.length; index++) shapes[index]?.write(value[index], to)
    },
    read: from => {
      if (from.head(LIST) !== shapes.length) giveUp()
      const items: unknown[] = []
      for (const shape of shapes) items.push(shape.read(from))
      return items
    }
  }
}

export function optional(shape: Shape): OptionalShape {
  return { ...shape, optional: true }
}

/** For what is rare: wherever it is not absent, the library sees to the whole message. */
export const seldom: OptionalShape = { write: giveUp, read: giveUp, optional: true }

/** A map with these fields, at most 23, and no other; `holds` is a rule over all of them. What is read has them in the order of the wire. */
export function record<T extends object>(fields: { readonly [Name in keyof T]-?: Shape | OptionalShape }, holds?: (value: T) => boolean): Shape {
  const names = Object.keys(fields) as (keyof T & string)[]
  const inOrder = names
    .toSorted((left, right) => left.length - right.length || (left < right ? -1 : 1))
    .map(name => ({ name, key: writtenBy(writer => writer.text(name)), shape: fields[name], isOptional: 'optional' in fields[name] }))
  return {
    write: (value, to) => {
      if (!isPlain(value)) giveUp()
      const start = to.at
      let pairs = 0
      to.byte(MAP << 5)
      for (const { name, key, shape, isOptional } of inOrder) {
        const item = value[name]
        if (item === undefined && isOptional) continue
        to.raw(key)
        shape.write(item, to)
        pairs++
      }
      if (Object.keys(value).length !== pairs || (holds !== undefined && !holds(value as T))) giveUp()
      to.patch(start, (MAP << 5) | pairs)
    },
    read: from => {
      const pairs = from.head(MAP)
      let found = 0
      const value: Record<string, unknown> = {}
      for (const { name, key, shape, isOptional } of inOrder) {
        if (from.skip(key)) {
          value[name] = shape.read(from)
          found++
        } else if (!isOptional) giveUp()
      }
      if (found !== pairs || (holds !== undefined && !holds(value as T))) giveUp()
      return value
    }
  }
}

/** Whether it is an object that the library takes for a map. */
export function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const constants = new CborWriter()

function writtenBy(write: (to: CborWriter) => void): Uint8Array {
  constants.at = 0
  write(constants)
  return constants.written.slice()
}
