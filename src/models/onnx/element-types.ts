import type { TensorType } from '../../protocol/tensor.ts'

/** TensorProto.DataType of onnx.proto: our name where onnxruntime-node can carry such a tensor, and the bits of an element. */
export const ELEMENT_TYPES: ReadonlyMap<number, { readonly name: string; readonly bits: number; readonly type?: TensorType }> = new Map([
  [1, { name: 'float32', bits: 32, type: 'float32' }],
  [2, { name: 'uint8', bits: 8, type: 'uint8' }],
  [3, { name: 'int8', bits: 8, type: 'int8' }],
  [4, { name: 'uint16', bits: 16, type: 'uint16' }],
  [5, { name: 'int16', bits: 16, type: 'int16' }],
  [6, { name: 'int32', bits: 32, type: 'int32' }],
  [7, { name: 'int64', bits: 64, type: 'int64' }],
  [8, { name: 'string', bits: 0, type: 'string' }],
  [9, { name: 'bool', bits: 8, type: 'bool' }],
  [10, { name: 'float16', bits: 16, type: 'float16' }],
  [11, { name: 'float64', bits: 64, type: 'float64' }],
  [12, { name: 'uint32', bits: 32, type: 'uint32' }],
  [13, { name: 'uint64', bits: 64, type: 'uint64' }],
  [14, { name: 'complex64', bits: 64 }],
  [15, { name: 'complex128', bits: 128 }],
  [16, { name: 'bfloat16', bits: 16 }],
  [17, { name: 'float8e4m3fn', bits: 8 }],
  [18, { name: 'float8e4m3fnuz', bits: 8 }],
  [19, { name: 'float8e5m2', bits: 8 }],
  [20, { name: 'float8e5m2fnuz', bits: 8 }],
  [21, { name: 'uint4', bits: 4, type: 'uint4' }],
  [22, { name: 'int4', bits: 4, type: 'int4' }],
  [23, { name: 'float4e2m1', bits: 4 }],
  [24, { name: 'float8e8m0', bits: 8 }],
  [25, { name: 'uint2', bits: 2 }],
  [26, { name: 'int2', bits: 2 }]
])

export const INT64_TYPE = 7
export const STRING_TYPE = 8
