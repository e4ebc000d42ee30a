import { LIMITS } from '../../protocol/limits.ts'

/*
 * A frame between a peer and its worker, both of one program and one machine: the length of the rest as u32 big-endian, a head of
 * fixed fields, a description in JSON, then the tensors' bytes as they are. Description and tensors begin at multiples of eight.
 */

export const LENGTH_BYTES = 4

/** Where the head's fields lie behind the length; little-endian, zero where a message has no such field. */
export const HEAD = {
  /** u32: bytes of the description, without its padding. */
  described: 0,
  /** f64, so that every safe integer fits. */
  id: 4,
  /** u8: place in `MESSAGE_TYPES`. */
  type: 12,
  /** u8, 0 or 1. */
  alone: 13,
  /** u32. */
  together: 16,
  /** f64. */
  limitMs: 20,
  /** f64, in the place of a request's limit. */
  waitedUs: 20,
  /** f64. */
  ranUs: 28,
  /** 32 bytes. */
  digest: 36,
  end: 68
} as const

export const DIGEST_BYTES = 32

export const MESSAGE_TYPES = ['run', 'drop', 'done', 'failed'] as const

/** Names, shapes and parameters of one task: 256 tensors with long names and many dimensions. */
export const DESCRIPTION_LIMIT = 1024 * 1024

/** Longest frame between a peer and its worker, padding included. */
export const FRAME_LIMIT = LIMITS.transferPayload + 2 * DESCRIPTION_LIMIT

/** So many bytes up to the next multiple of eight. */
export function aligned(length: number): number {
  return Math.ceil(length / 8) * 8
}
