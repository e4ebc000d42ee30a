import { type ErrorCode, MotorpoolError } from '../protocol/errors.ts'
import { fromHex, toHex } from '../protocol/ids.ts'
import { LIMITS } from '../protocol/limits.ts'
import type { ParameterValue, Tensor, TensorType, Value } from '../protocol/tensor.ts'

const MIB = 1024 * 1024
/** Names, shapes and parameters of one task: 256 tensors with long names and many dimensions. */
const HEAD_LIMIT = 1 * MIB
/** Longest frame between a peer and its worker, padding included. */
const WORKER_FRAME_LIMIT = LIMITS.transferPayload + 2 * HEAD_LIMIT

/** To the worker: run this, or take back a task that has not begun. Each `run` has one answer, `done` or `failed`. */
export type WorkerRequest =
  | {
      readonly type: 'run'
      readonly id: number
      readonly value: Value
      /** What is left of the task's time. */
      readonly limitMs: number
      /** It was in a batch that took its worker with it. */
      readonly alone: boolean
    }
  | { readonly type: 'drop'; readonly id: number }

/** From the worker: tasks are begun and answered in their order, but for those that `began` tells of. */
export type WorkerReply =
  | {
      readonly type: 'done'
      readonly id: number
      readonly value: Value
      readonly digest: Uint8Array
      readonly waitedUs: number
      readonly ranUs: number
      readonly together: number
    }
  | { readonly type: 'failed'; readonly id: number; readonly code: ErrorCode; readonly message: string }
  /** These run together, or one of them alone after their batch failed. */
  | { readonly type: 'began'; readonly ids: readonly number[] }

/**
 * A value in a frame's head: its tensors' bytes follow the head, in this order. Parameters are pairs, so that no name means
 * something to JavaScript; bytes among them are hex.
 */
export interface WireValue {
  readonly kind: string
  readonly parameters: readonly (readonly [name: string, value: Exclude<ParameterValue, Uint8Array> | { readonly hex: string }])[]
  readonly tensors: readonly { readonly name: string; readonly type: TensorType; readonly dims: readonly number[]; readonly size: number }[]
}

/** A message whose value, if it has one, has left its tensors' bytes behind, and whose digest is hex: JSON. */
export type Wire<T> = T extends WorkerRequest | WorkerReply
  ? { [K in keyof T]: T[K] extends Value ? WireValue : T[K] extends Uint8Array ? string : T[K] }
  : never

/** Takes so many bytes off the front of a frame's tensors: views into the frame, aligned for typed arrays of any width. */
export type Take = (size: number) => Uint8Array<ArrayBuffer>

/** Frames up to this size are written in one piece: a copy of so little costs less than a list of buffers for the system. */
const ONE_PIECE_BYTES = 64 * 1024
const ALIGNMENT = 8
const PADDING = new Uint8Array(ALIGNMENT)
/** The frame's length and the head's. */
const LENGTHS_BYTES = 8

/**
 * A frame: its length, the head's length, the head in JSON (both sides are one program, so the cheapest encoding will do),
 * then the tensors' bytes as they are, each at a multiple of eight behind the lengths. Nothing large is copied. Throws
 * `ERR_TOO_LARGE` above `LIMITS.transferPayload` bytes of tensors.
 */
export function workerFrame(message: WorkerRequest | WorkerReply): Uint8Array[] {
  const data = 'value' in message ? Object.values(message.value.tensors).map(tensor => tensor.data) : []
  const size = data.reduce((sum, part) => sum + part.byteLength, 0)
  if (size > LIMITS.transferPayload)
    throw new MotorpoolError('ERR_TOO_LARGE', `tensors of ${size} bytes in all, at most ${LIMITS.transferPayload} are allowed; split the task`)
  const json = JSON.stringify(toWire(message))
  const head = Buffer.allocUnsafe(LENGTHS_BYTES + aligned(Buffer.byteLength(json)))
  head.fill(' ', LENGTHS_BYTES + head.write(json, LENGTHS_BYTES))
  const headLength = head.byteLength - LENGTHS_BYTES
  if (headLength > HEAD_LIMIT)
    throw new MotorpoolError('ERR_TOO_LARGE', `names and parameters take ${headLength} bytes, at most ${HEAD_LIMIT} are allowed; send less`)
  const padded = data
    .filter(part => part.byteLength > 0)
    .flatMap(part => (part.byteLength % ALIGNMENT === 0 ? [part] : [part, PADDING.subarray(part.byteLength % ALIGNMENT)]))
  const length = 4 + headLength + padded.reduce((sum, part) => sum + part.byteLength, 0)
  head.writeUInt32BE(length)
  head.writeUInt32BE(headLength, 4)
  return 4 + length <= ONE_PIECE_BYTES ? [Buffer.concat([head, ...padded], 4 + length)] : [head, ...padded]
}

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT
}

function toWire(message: WorkerRequest | WorkerReply): Wire<WorkerRequest | WorkerReply> {
  switch (message.type) {
    case 'run':
      return { ...message, value: toWireValue(message.value) }
    case 'done':
      return { ...message, value: toWireValue(message.value), digest: toHex(message.digest) }
    default:
      return message
  }
}

function toWireValue({ kind, parameters, tensors }: Value): WireValue {
  return {
    kind,
    parameters: Object.entries(parameters).map(([name, value]) => [name, value instanceof Uint8Array ? { hex: toHex(value) } : value]),
    tensors: Object.entries(tensors).map(([name, { type, dims, data }]) => ({ name, type, dims, size: data.byteLength }))
  }
}

/** The value that a head tells of, with its tensors' bytes. */
export function fromWireValue({ kind, parameters, tensors }: WireValue, take: Take): Value {
  const named = parameters.map(([name, value]): [string, ParameterValue] => [name, typeof value === 'object' && value !== null ? fromHex(value.hex) : value])
  const filled = tensors.map(({ name, type, dims, size }): [string, Tensor] => [name, { type, dims, data: take(size) }])
  return { kind, parameters: Object.fromEntries(named), tensors: Object.fromEntries(filled) }
}

/**
 * A frame's head, parsed but unchecked, and what takes the tensors behind it; `body` is the frame without its length. Throws
 * `ERR_BAD_FRAME` when bytes are missing.
 */
export function openFrame(body: Uint8Array<ArrayBuffer>): { readonly head: unknown; readonly take: Take } {
  let at = 4 + (body.byteLength < 4 ? 0 : new DataView(body.buffer, body.byteOffset).getUint32(0))
  if (at > body.byteLength) throw tooShort()
  const head: unknown = JSON.parse(Buffer.from(body.buffer, body.byteOffset + 4, at - 4).toString('utf8'))
  const take: Take = size => {
    if (at + size > body.byteLength) throw tooShort()
    const bytes = body.subarray(at, at + size)
    at += aligned(size)
    return bytes
  }
  return { head, take }
}

function tooShort(): MotorpoolError {
  return new MotorpoolError('ERR_BAD_FRAME', 'a worker frame ends early; restart the worker')
}

/**
 * Cuts the byte stream between a peer and its worker into frames. Each chunk is copied as it comes, while it is still in the
 * processor's cache, into the one buffer that the tensors then live in. Throws `ERR_BAD_FRAME` as soon as a length is too large.
 */
export function createWorkerFrameReader(onFrame: (body: Uint8Array<ArrayBuffer>) => void): (chunk: Uint8Array) => void {
  const head = new Uint8Array(4)
  let headBytes = 0
  let body: Uint8Array<ArrayBuffer> | undefined
  let filled = 0
  return chunk => {
    for (let at = 0; at < chunk.length; ) {
      if (body === undefined) {
        head[headBytes++] = chunk[at++] ?? 0
        if (headBytes < head.length) continue
        body = bodyBuffer(new DataView(head.buffer).getUint32(0))
        filled = 0
      }
      const taken = Math.min(body.length - filled, chunk.length - at)
      body.set(taken === chunk.length ? chunk : chunk.subarray(at, at + taken), filled)
      filled += taken
      at += taken
      if (filled < body.length) return
      const whole = body
      body = undefined
      headBytes = 0
      onFrame(whole)
    }
  }
}

/**
 * Memory for a frame, at four behind a multiple of eight, so that tensors are aligned; all of it is written before it is read.
 * Small frames share Node's pool, because a buffer of its own for each keeps the garbage collector busy.
 */
function bodyBuffer(length: number): Uint8Array<ArrayBuffer> {
  if (length < 4 || length > WORKER_FRAME_LIMIT)
    throw new MotorpoolError('ERR_BAD_FRAME', `a worker frame of ${length} bytes, at most ${WORKER_FRAME_LIMIT} are allowed; restart the worker`)
  const memory = Buffer.allocUnsafe(4 + length)
  return new Uint8Array(memory.buffer, memory.byteOffset + 4, length)
}
