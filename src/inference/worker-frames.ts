import { type ErrorCode, MotorpoolError } from '../protocol/errors.ts'
import { frameHead } from '../protocol/frames.ts'
import { fromHex, toHex } from '../protocol/ids.ts'
import { LIMITS } from '../protocol/limits.ts'
import type { ParameterValue, Tensor, TensorType, Value } from '../protocol/tensor.ts'

const MIB = 1024 * 1024
/** Names, shapes and parameters of one task: 256 tensors with long names and many dimensions. */
const HEAD_LIMIT = 1 * MIB
/** Longest frame between a peer and its worker. */
export const WORKER_FRAME_LIMIT = LIMITS.transferPayload + HEAD_LIMIT

/** To the worker: run this, or forget a task that has not begun. */
export type WorkerRequest = { readonly type: 'run'; readonly id: number; readonly value: Value } | { readonly type: 'drop'; readonly id: number }

/** From the worker, in the order of the requests. */
export type WorkerReply =
  | { readonly type: 'done'; readonly id: number; readonly value: Value; readonly digest: Uint8Array; readonly waitedUs: number; readonly ranUs: number }
  | { readonly type: 'failed'; readonly id: number; readonly code: ErrorCode; readonly message: string }

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

/** Takes so many bytes off the front of a frame's body, into fresh memory: typed arrays of any width can view it. */
export type Take = (size: number) => Uint8Array<ArrayBuffer>

/**
 * A frame: its length, the head's length, the head in JSON (both sides are one program, so the cheapest encoding will do),
 * then the tensors' bytes as they are; nothing is copied. Throws `ERR_TOO_LARGE` above `LIMITS.transferPayload` bytes of
 * tensors.
 */
export function workerFrame(message: WorkerRequest | WorkerReply): Uint8Array[] {
  const data = 'value' in message ? Object.values(message.value.tensors).map(tensor => tensor.data) : []
  const size = data.reduce((sum, part) => sum + part.byteLength, 0)
  if (size > LIMITS.transferPayload)
    throw new MotorpoolError('ERR_TOO_LARGE', `tensors of ${size} bytes in all, at most ${LIMITS.transferPayload} are allowed; split the task`)
  const head = Buffer.from(JSON.stringify(toWire(message)), 'utf8')
  if (head.byteLength > HEAD_LIMIT)
    throw new MotorpoolError('ERR_TOO_LARGE', `names and parameters take ${head.byteLength} bytes, at most ${HEAD_LIMIT} are allowed; send less`)
  return [frameHead(4 + head.byteLength + size), frameHead(head.byteLength), head, ...data.filter(part => part.byteLength > 0)]
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

/** A frame's head, parsed but unchecked, and what takes the data behind it. Throws `ERR_BAD_FRAME` when bytes are missing. */
export function openFrame(parts: readonly Uint8Array[], length: number): { readonly head: unknown; readonly take: Take } {
  const take = taker(parts, length)
  const headLength = new DataView(take(4).buffer).getUint32(0)
  return { head: JSON.parse(Buffer.from(take(headLength).buffer).toString('utf8')), take }
}

function taker(parts: readonly Uint8Array[], length: number): Take {
  let left = length
  let part = 0
  let at = 0
  return size => {
    if (size > left) throw new MotorpoolError('ERR_BAD_FRAME', `a worker frame ends ${size - left} bytes early; restart the worker`)
    left -= size
    const bytes = new Uint8Array(size)
    for (let filled = 0; filled < size; ) {
      const from = parts[part] as Uint8Array
      const taken = from.subarray(at, at + size - filled)
      bytes.set(taken, filled)
      filled += taken.length
      at += taken.length
      if (at === from.length) {
        part++
        at = 0
      }
    }
    return bytes
  }
}
