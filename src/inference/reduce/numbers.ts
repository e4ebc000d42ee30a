import { MotorpoolError } from '../../protocol/errors.ts'
import type { Tensor, TensorType } from '../../protocol/tensor.ts'
import { floatsOfHalves } from '../../protocol/values/half-float.ts'

type NumberArray = Float64Array | Float32Array | Int32Array | Uint32Array | Int16Array | Uint16Array | Int8Array | Uint8Array

/** A tensor's elements as JavaScript numbers. */
export interface Numbers {
  readonly type: TensorType
  /** Row-major. */
  readonly dims: readonly number[]
  readonly values: NumberArray
}

/** A tensor as rows along its last axis. */
export interface Rows {
  readonly count: number
  /** Elements in each. */
  readonly width: number
}

const VIEWS: Partial<Record<TensorType, { readonly size: number; readonly of: (buffer: ArrayBuffer, offset: number, length: number) => NumberArray }>> = {
  float64: { size: 8, of: (...place) => new Float64Array(...place) },
  float32: { size: 4, of: (...place) => new Float32Array(...place) },
  float16: { size: 2, of: (...place) => new Uint16Array(...place) },
  int32: { size: 4, of: (...place) => new Int32Array(...place) },
  uint32: { size: 4, of: (...place) => new Uint32Array(...place) },
  int16: { size: 2, of: (...place) => new Int16Array(...place) },
  uint16: { size: 2, of: (...place) => new Uint16Array(...place) },
  int8: { size: 1, of: (...place) => new Int8Array(...place) },
  uint8: { size: 1, of: (...place) => new Uint8Array(...place) },
  bool: { size: 1, of: (...place) => new Uint8Array(...place) }
}

/** Views a tensor's bytes in place where they are aligned; float16 becomes float32, int64 float64. Throws `ERR_INVALID_INPUT` for types without numbers. */
export function numbersOf(name: string, { type, dims, data }: Tensor): Numbers {
  if (type === 'int64') {
    const aligned = alignedBytes(data, 8)
    return { type: 'float64', dims, values: Float64Array.from(new BigInt64Array(aligned.buffer, aligned.byteOffset, aligned.length / 8), Number) }
  }
  const view = VIEWS[type]
  if (view === undefined) throw unfit(name, `is ${type}, which cannot be reduced; ask for it as it is`)
  const { buffer, byteOffset, length } = alignedBytes(data, view.size)
  const values = view.of(buffer, byteOffset, length / view.size)
  return type === 'float16' && values instanceof Uint16Array ? { type: 'float32', dims, values: floatsOfHalves(values) } : { type, dims, values }
}

export function tensorOf({ type, dims, values }: Numbers): Tensor {
  return { type, dims, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) }
}

/** Room for results of the same precision; throws `ERR_INVALID_INPUT` for integers, which sums and quotients don't fit. */
export function floatsLike(name: string, { type }: Numbers, length: number): Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer> {
  if (type !== 'float32' && type !== 'float64') throw unfit(name, `is ${type}; only float outputs can be pooled, normalized or made probabilities`)
  return type === 'float32' ? new Float32Array(length) : new Float64Array(length)
}

/** Throws `ERR_INVALID_INPUT` for a scalar and for an empty last axis. */
export function rowsOf(name: string, { dims }: Numbers): Rows {
  const width = dims.at(-1) ?? 0
  if (width === 0) throw unfit(name, `has shape [${dims.join(', ')}], without a last axis to reduce; ask for it as it is`)
  return { count: dims.slice(0, -1).reduce((product, dim) => product * dim, 1), width }
}

export function unfit(name: string, what: string): MotorpoolError {
  return new MotorpoolError('ERR_INVALID_INPUT', `output ${name} ${what}`)
}

function alignedBytes(data: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  return data.byteOffset % size === 0 && data.buffer instanceof ArrayBuffer ? (data as Uint8Array<ArrayBuffer>) : new Uint8Array(data)
}
