import { readSync } from 'node:fs'

/** Bytes that can be read anywhere, so that a large file needn't lie in memory. */
export interface ByteSource {
  readonly byteLength: number
  /** The bytes from `at` on, at most `length`, fewer at the end; valid until the next call. */
  readonly read: (at: number, length: number) => Uint8Array
}

/** Bytes in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return { byteLength: bytes.byteLength, read: (at, length) => bytes.subarray(at, at + length) }
}

/** An open file of known size. */
export function fileSource(descriptor: number, byteLength: number): ByteSource {
  let buffer = new Uint8Array(0)
  return {
    byteLength,
    read(at, length) {
      if (buffer.byteLength < length) buffer = new Uint8Array(length)
      return buffer.subarray(0, readSync(descriptor, buffer, 0, length, at))
    }
  }
}
