import type { z } from 'zod'
import { decodeCbor } from '../cbor.ts'
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

/**
 * As `decodeCbor`, several times as fast for the few messages that each task needs. A shape decides nothing: `schema`, cborg and the
 * strict tokenizer are what it is tested against, and see to every message at which it gives up, so that errors are theirs.
 */
export function decodeShaped<T>(bytes: Uint8Array, shape: Shape, schema: z.ZodType<T>, limit: number): T {
  const value = bytes.byteLength <= limit ? decodeShape(shape, bytes) : undefined
  return (value as T | undefined) ?? decodeCbor(bytes, schema, limit)
}
