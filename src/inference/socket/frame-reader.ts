import { MotorpoolError } from '../../protocol/errors.ts'
import type { Tensor, Value } from '../../protocol/tensor.ts'
import type { Description } from './description.ts'
import { aligned, FRAME_LIMIT, HEAD, LENGTH_BYTES } from './frame-format.ts'

/** A frame without its length, at four behind a multiple of eight. */
export type FrameBody = Uint8Array<ArrayBuffer>

/**
 * Cuts the byte stream between a peer and its worker into frames. Each chunk is copied as it comes, while it is still in the
 * processor's cache, into the one buffer that the tensors then live in; a chunk's memory may be used again after the call. Throws
 * `ERR_BAD_FRAME` as soon as a length is too large.
 */
export function createFrameReader(onFrame: (body: FrameBody) => void): (chunk: Uint8Array) => void {
  let length = 0
  let lengthBytes = 0
  let body: FrameBody | undefined
  let filled = 0
  return chunk => {
    for (let at = 0; at < chunk.length; ) {
      if (body === undefined) {
        length = length * 256 + (chunk[at++] ?? 0)
        if (++lengthBytes < LENGTH_BYTES) continue
        body = bodyBuffer(length)
        filled = 0
      }
      const taken = Math.min(body.length - filled, chunk.length - at)
      body.set(taken === chunk.length ? chunk : chunk.subarray(at, at + taken), filled)
      filled += taken
      at += taken
      if (filled < body.length) return
      const whole = body
      body = undefined
      length = lengthBytes = 0
      onFrame(whole)
    }
  }
}

/**
 * Memory for a frame, such that tensors are aligned; all of it is written before it is read. Small frames share Node's pool,
 * because a buffer of its own for each keeps the garbage collector busy.
 */
function bodyBuffer(length: number): FrameBody {
  if (length < HEAD.end || length > FRAME_LIMIT)
    throw new MotorpoolError(
      'ERR_BAD_FRAME',
      `a worker frame of ${length} bytes, at least ${HEAD.end} and at most ${FRAME_LIMIT} are allowed; restart the worker`
    )
  const memory = Buffer.allocUnsafe(LENGTH_BYTES + length)
  return new Uint8Array(memory.buffer, memory.byteOffset + LENGTH_BYTES, length)
}

/** A frame's head and description. Throws `ERR_BAD_FRAME` where they are cut off. */
export function openFrame(body: FrameBody): { readonly head: DataView; readonly description: Uint8Array } {
  if (body.byteLength < HEAD.end) throw tooShort()
  const head = new DataView(body.buffer, body.byteOffset, HEAD.end)
  const end = HEAD.end + head.getUint32(HEAD.described, true)
  if (end > body.byteLength) throw tooShort()
  return { head, description: body.subarray(HEAD.end, end) }
}

/** The value that a frame holds: its tensors are views into the frame, aligned for typed arrays of any width. Throws `ERR_BAD_FRAME` where they are cut off. */
export function readValue(body: FrameBody, describedBytes: number, { kind, parameters, tensors }: Description): Value {
  const entries: [string, Tensor][] = []
  let at = HEAD.end + aligned(describedBytes)
  for (const { name, type, dims, size } of tensors) {
    if (at + size > body.byteLength) throw tooShort()
    entries.push([name, { type, dims, data: new Uint8Array(body.buffer, body.byteOffset + at, size) }])
    at += aligned(size)
  }
  return { kind, parameters, tensors: Object.fromEntries(entries) }
}

function tooShort(): MotorpoolError {
  return new MotorpoolError('ERR_BAD_FRAME', 'a worker frame ends early; restart the worker')
}
