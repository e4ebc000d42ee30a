import type { z } from 'zod'
import { checkFields, decodeCbor, encodeCbor } from '../cbor.ts'
import { CborReader } from './cbor-reader.ts'
import { CborWriter } from './cbor-writer.ts'
import { afterGivingUp } from './give-up.ts'
import type { Shape } from './shape.ts'

const writer = new CborWriter()

/** `before` and the value's dag-cbor, as a view that the next call writes over; undefined when the shape gives up. */
export function viewEncoded(shape: Shape, value: unknown, before?: Uint8Array): Uint8Array | undefined {
  writer.at = 0
  try {
    if (before !== undefined) writer.raw(before)
    shape.write(value, writer)
    return writer.written
  } catch (error) {
    return afterGivingUp(error)
  }
}

/** `before` and the value's dag-cbor, on memory of their own; undefined when the shape gives up. */
export function encodeShape(shape: Shape, value: unknown, before?: Uint8Array): Uint8Array | undefined {
  return viewEncoded(shape, value, before)?.slice()
}

/** The value whose dag-cbor these bytes are, none more; undefined when the shape gives up. */
export function decodeShape(shape: Shape, bytes: Uint8Array): unknown {
  const reader = new CborReader(bytes)
  try {
    const value = shape.read(reader)
    return reader.done ? value : undefined
  } catch (error) {
    return afterGivingUp(error)
  }
}

/** Reads and writes one kind of message. */
export interface ShapeCodec<T> {
  /** Throws `ERR_SCHEMA` when a field doesn't fit, and as `encodeCbor`. */
  readonly encode: (value: T) => Uint8Array
  /** Throws as `decodeCbor`. */
  readonly decode: (bytes: Uint8Array, limit: number) => T
}

/**
 * A codec for the few messages that each task needs, several times as fast as the libraries'. It decides nothing: `schema`, cborg and
 * the strict tokenizer are what a shape is tested against, and see to every message at which it gives up, so that errors are theirs.
 */
export function shapeCodec<T>(shape: Shape, schema: z.ZodType<T>): ShapeCodec<T> {
  return {
    encode: value => {
      const bytes = encodeShape(shape, value)
      if (bytes !== undefined) return bytes
      checkFields(value, schema)
      return encodeCbor(value)
    },
    decode: (bytes, limit) => ((bytes.byteLength <= limit ? decodeShape(shape, bytes) : undefined) as T | undefined) ?? decodeCbor(bytes, schema, limit)
  }
}
