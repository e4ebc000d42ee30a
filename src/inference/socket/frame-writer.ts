import { MotorpoolError } from '../../protocol/errors.ts'
import { LIMITS } from '../../protocol/limits.ts'
import type { Value } from '../../protocol/tensor.ts'
import { createDescriber } from './description.ts'
import { aligned, DESCRIPTION_LIMIT, HEAD, LENGTH_BYTES, MESSAGE_TYPES } from './frame-format.ts'
import type { WorkerReply, WorkerRequest } from './messages.ts'

/** Frames up to this size are written in one piece: a copy of so little costs less than a list of buffers for the system. */
const ONE_PIECE_BYTES = 64 * 1024
const PADDING = new Uint8Array(8)
const NOTHING = new Uint8Array()
const NO_TENSORS: Value['tensors'] = {}

/**
 * Makes frames of messages, in one buffer where they are small; nothing large is copied. Throws `ERR_TOO_LARGE` above
 * `LIMITS.transferPayload` bytes of tensors, and for a description that is too long.
 */
export function createFrameWriter(): (message: WorkerRequest | WorkerReply) => Uint8Array[] {
  const describe = createDescriber()
  return message => {
    const tensors = 'value' in message ? message.value.tensors : NO_TENSORS
    const [size, padded] = sizesOf(tensors)
    if (size > LIMITS.transferPayload)
      throw new MotorpoolError('ERR_TOO_LARGE', `tensors of ${size} bytes in all, at most ${LIMITS.transferPayload} are allowed; split the task`)
    const description =
      'value' in message ? describe(message.value) : message.type === 'failed' ? Buffer.from(JSON.stringify([message.code, message.message])) : NOTHING
    if (description.byteLength > DESCRIPTION_LIMIT)
      throw new MotorpoolError(
        'ERR_TOO_LARGE',
        `names and parameters take ${description.byteLength} bytes, at most ${DESCRIPTION_LIMIT} are allowed; send less`
      )
    const headLength = LENGTH_BYTES + HEAD.end + aligned(description.byteLength)
    const isOnePiece = headLength + padded <= ONE_PIECE_BYTES
    const first = Buffer.allocUnsafe(isOnePiece ? headLength + padded : headLength)
    first.writeUInt32BE(headLength - LENGTH_BYTES + padded)
    writeHead(first, message, description.byteLength)
    first.set(description, LENGTH_BYTES + HEAD.end)
    first.fill(0, LENGTH_BYTES + HEAD.end + description.byteLength, headLength)
    if (!isOnePiece) return [first, ...piecesOf(tensors)]
    writeTensors(first, headLength, tensors)
    return [first]
  }
}

/** Bytes of the tensors, and with their padding. */
function sizesOf(tensors: Value['tensors']): readonly [size: number, padded: number] {
  let size = 0
  let padded = 0
  for (const { data } of Object.values(tensors)) {
    size += data.byteLength
    padded += aligned(data.byteLength)
  }
  return [size, padded]
}

/** The memory comes from a pool, so that what a message lacks is zeroed: nothing of the peer's shall leak to a worker. */
function writeHead(frame: Buffer, message: WorkerRequest | WorkerReply, described: number): void {
  frame.fill(0, LENGTH_BYTES, LENGTH_BYTES + HEAD.end)
  frame.writeUInt32LE(described, LENGTH_BYTES + HEAD.described)
  frame.writeDoubleLE(message.id, LENGTH_BYTES + HEAD.id)
  frame[LENGTH_BYTES + HEAD.type] = MESSAGE_TYPES.indexOf(message.type)
  if (message.type === 'run') {
    frame[LENGTH_BYTES + HEAD.alone] = message.alone ? 1 : 0
    frame.writeDoubleLE(message.limitMs, LENGTH_BYTES + HEAD.limitMs)
  } else if (message.type === 'done') {
    frame.writeUInt32LE(message.together, LENGTH_BYTES + HEAD.together)
    frame.writeDoubleLE(message.waitedUs, LENGTH_BYTES + HEAD.waitedUs)
    frame.writeDoubleLE(message.ranUs, LENGTH_BYTES + HEAD.ranUs)
    frame.set(message.digest, LENGTH_BYTES + HEAD.digest)
  }
}

function writeTensors(frame: Buffer, from: number, tensors: Value['tensors']): void {
  let at = from
  for (const { data } of Object.values(tensors)) {
    frame.set(data, at)
    const end = at + data.byteLength
    at = from + aligned(end - from)
    if (end < at) frame.fill(0, end, at)
  }
}

function piecesOf(tensors: Value['tensors']): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (const { data } of Object.values(tensors)) {
    if (data.byteLength > 0) pieces.push(data)
    if (data.byteLength % 8 !== 0) pieces.push(PADDING.subarray(data.byteLength % 8))
  }
  return pieces
}
