import { MotorpoolError } from './errors.ts'
import { LIMITS } from './limits.ts'

/** ONNX tensor types as ONNX Runtime names them, with the bits an element takes (`string` has no fixed size). */
export const TENSOR_TYPES = {
  bool: 8,
  uint4: 4,
  int4: 4,
  uint8: 8,
  int8: 8,
  uint16: 16,
  int16: 16,
  uint32: 32,
  int32: 32,
  uint64: 64,
  int64: 64,
  float16: 16,
  float32: 32,
  float64: 64,
  string: 0
} as const

export type TensorType = keyof typeof TENSOR_TYPES

/**
 * A tensor in its canonical bytes: row-major, little-endian; `bool` one byte (0 or 1) an element; `string` each element
 * as a little-endian u32 length and its UTF-8; sub-byte types as ONNX packs them (low nibble first).
 */
export interface Tensor {
  readonly type: TensorType
  readonly dims: readonly number[]
  readonly data: Uint8Array
}

/** Named tensors with a kind and parameters: the input or output of a task. */
export interface Value {
  /** What the tensors are: `tensors` for a plain model, else the name of a pipeline such as `ocr`. */
  readonly kind: string
  /** Whatever else determines the result: integers, strings, booleans, bytes. No floats. */
  readonly parameters: Readonly<Record<string, ParameterValue>>
  readonly tensors: Readonly<Record<string, Tensor>>
}

export type ParameterValue = number | string | boolean | Uint8Array | null

/** Number of elements; throws `ERR_INVALID_INPUT` for a negative, fractional or overflowing dimension. */
export function elementCount(dims: readonly number[]): number {
  if (dims.length > LIMITS.tensorRank)
    throw new MotorpoolError('ERR_INVALID_INPUT', `a tensor has ${dims.length} dimensions, at most ${LIMITS.tensorRank} are allowed; reshape it`)
  let count = 1
  for (const dim of dims) {
    if (!Number.isSafeInteger(dim) || dim < 0)
      throw new MotorpoolError('ERR_INVALID_INPUT', `dimension ${dim} in [${dims.join(', ')}] is not a whole number ≥ 0; give the real shape`)
    count *= dim
    if (!Number.isSafeInteger(count)) throw new MotorpoolError('ERR_INVALID_INPUT', `shape [${dims.join(', ')}] overflows; split the tensor`)
  }
  return count
}

/** Bytes a tensor of this type and shape takes; `undefined` for `string`, whose size depends on its elements. */
export function tensorByteLength(type: TensorType, dims: readonly number[]): number | undefined {
  const count = elementCount(dims)
  return type === 'string' ? undefined : Math.ceil((count * TENSOR_TYPES[type]) / 8)
}

/** A string tensor's canonical bytes. */
export function encodeStrings(strings: readonly string[]): Uint8Array {
  const parts = strings.map(text => Buffer.from(text, 'utf8'))
  const bytes = Buffer.allocUnsafe(parts.reduce((sum, part) => sum + 4 + part.length, 0))
  let at = 0
  for (const part of parts) {
    at = bytes.writeUInt32LE(part.length, at)
    at += part.copy(bytes, at)
  }
  return bytes
}

/** The strings in a string tensor's bytes; throws `ERR_INVALID_INPUT` when they are cut off or not UTF-8. */
export function decodeStrings(bytes: Uint8Array): string[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const strings: string[] = []
  for (let at = 0; at < view.length; ) {
    const end = at + 4 <= view.length ? at + 4 + view.readUInt32LE(at) : Number.POSITIVE_INFINITY
    if (end > view.length) throw new MotorpoolError('ERR_INVALID_INPUT', 'a string tensor is cut off; send every element as a u32 length and its UTF-8')
    try {
      strings.push(decoder.decode(view.subarray(at + 4, end)))
    } catch (cause) {
      throw new MotorpoolError('ERR_INVALID_INPUT', 'a string tensor is not UTF-8; encode it as UTF-8', { cause })
    }
    at = end
  }
  return strings
}

/** Throws `ERR_INVALID_INPUT` unless a tensor's bytes fit its type and shape. */
export function checkTensor(name: string, tensor: Tensor): void {
  if (!(tensor.type in TENSOR_TYPES))
    throw new MotorpoolError('ERR_INVALID_INPUT', `tensor ${name} has unknown type ${String(tensor.type)}; use one of ${Object.keys(TENSOR_TYPES).join(', ')}`)
  const expected = tensorByteLength(tensor.type, tensor.dims)
  if (expected === undefined) {
    const count = decodeStrings(tensor.data).length
    if (count !== elementCount(tensor.dims))
      throw new MotorpoolError(
        'ERR_INVALID_INPUT',
        `tensor ${name} holds ${count} strings where shape [${tensor.dims.join(', ')}] needs ${elementCount(tensor.dims)}`
      )
  } else if (tensor.data.byteLength !== expected) {
    throw new MotorpoolError(
      'ERR_INVALID_INPUT',
      `tensor ${name} holds ${tensor.data.byteLength} bytes where ${tensor.type} [${tensor.dims.join(', ')}] needs ${expected}; send data that fits the shape`
    )
  }
}
