import { Tensor as OrtTensor } from 'onnxruntime-node'
import { MotorpoolError } from '../../protocol/errors.ts'
import { decodeStrings, encodeStrings, type Tensor, type TensorType } from '../../protocol/tensor.ts'

type Dims = readonly number[]
type Bytes = Uint8Array<ArrayBuffer>

// onnxruntime-node reads no bytes out of a Float16Array; where the global is missing it takes and gives a Uint16Array.
Reflect.deleteProperty(globalThis, 'Float16Array')

/** Types that onnxruntime-node's binding carries; it knows int4 and uint4 by name only. */
const MAKERS: Partial<Record<TensorType, (data: Bytes, dims: Dims) => OrtTensor>> = {
  bool: (data, dims) => new OrtTensor('bool', checkedBooleans(data), dims),
  uint8: (data, dims) => new OrtTensor('uint8', data, dims),
  int8: (data, dims) => new OrtTensor('int8', new Int8Array(data.buffer, data.byteOffset, data.length), dims),
  uint16: (data, dims) => new OrtTensor('uint16', new Uint16Array(data.buffer, data.byteOffset, data.length / 2), dims),
  int16: (data, dims) => new OrtTensor('int16', new Int16Array(data.buffer, data.byteOffset, data.length / 2), dims),
  float16: (data, dims) => new OrtTensor('float16', new Uint16Array(data.buffer, data.byteOffset, data.length / 2), dims),
  uint32: (data, dims) => new OrtTensor('uint32', new Uint32Array(data.buffer, data.byteOffset, data.length / 4), dims),
  int32: (data, dims) => new OrtTensor('int32', new Int32Array(data.buffer, data.byteOffset, data.length / 4), dims),
  float32: (data, dims) => new OrtTensor('float32', new Float32Array(data.buffer, data.byteOffset, data.length / 4), dims),
  uint64: (data, dims) => new OrtTensor('uint64', new BigUint64Array(data.buffer, data.byteOffset, data.length / 8), dims),
  int64: (data, dims) => new OrtTensor('int64', new BigInt64Array(data.buffer, data.byteOffset, data.length / 8), dims),
  float64: (data, dims) => new OrtTensor('float64', new Float64Array(data.buffer, data.byteOffset, data.length / 8), dims),
  string: (data, dims) => new OrtTensor('string', decodeStrings(data), dims)
}

/** Whether onnxruntime-node can take and give tensors of this type. */
export function isCarried(type: TensorType): boolean {
  return MAKERS[type] !== undefined
}

/** An ONNX Runtime tensor that views canonical bytes in place; they are copied only where they lie unaligned. */
export function toOrtTensor(tensor: Tensor): OrtTensor {
  const make = MAKERS[tensor.type]
  if (make === undefined) throw new MotorpoolError('ERR_INVALID_INPUT', `onnxruntime-node carries no ${tensor.type} tensors; use a model with wider inputs`)
  const data = tensor.data.byteOffset % 8 === 0 && tensor.data.buffer instanceof ArrayBuffer ? (tensor.data as Bytes) : new Uint8Array(tensor.data)
  return make(data, tensor.dims)
}

/** Canonical bytes of an output, viewed in place but for strings. */
export function fromOrtTensor(name: string, tensor: OrtTensor): Tensor {
  const { data, type, dims } = tensor
  if (Array.isArray(data)) return { type: 'string', dims, data: encodeStrings(data) }
  if (!isCarried(type)) throw new MotorpoolError('ERR_RUN_FAILED', `output ${name} is of type ${type}, which cannot be carried; cast it in the model`)
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (type === 'bool') for (let at = 0; at < bytes.length; at++) bytes[at] = bytes[at] === 0 ? 0 : 1
  return { type, dims, data: bytes }
}

function checkedBooleans(data: Bytes): Bytes {
  const wrong = data.findIndex(byte => byte > 1)
  if (wrong !== -1) throw new MotorpoolError('ERR_INVALID_INPUT', `element ${wrong} of a bool tensor is ${data[wrong]}; send 0 or 1`)
  return data
}
