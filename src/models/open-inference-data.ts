import { MotorpoolError } from '../protocol/errors.ts'
import { decodeStrings, elementCount, encodeStrings, TENSOR_TYPES, type Tensor, type TensorType } from '../protocol/tensor.ts'
import { floatOfHalf, halfOfFloat } from '../protocol/values/half-float.ts'

/** A tensor's data as JSON has it: elements, or arrays of arrays of them. */
export type JsonElement = number | bigint | boolean | string | readonly JsonElement[]

/** JSON has no word for these; strings as protobuf's JSON mapping writes them. */
const UNWRITABLE = { NaN: Number.NaN, Infinity: Number.POSITIVE_INFINITY, '-Infinity': Number.NEGATIVE_INFINITY } as const

/** Canonical bytes of JSON data, nested as `dims` says or flat; throws `ERR_INVALID_INPUT` naming the tensor. */
export function encodeElements(name: string, type: TensorType, dims: readonly number[], data: JsonElement): Uint8Array {
  const elements = flatten(name, dims, data)
  if (type === 'string') return encodeStrings(elements.map(element => (typeof element === 'string' ? element : wrong(name, type, element))))
  const width = TENSOR_TYPES[type] / 8
  const bytes = new Uint8Array(elements.length * width)
  const view = new DataView(bytes.buffer)
  const write = WRITERS[type]
  elements.forEach((element, index) => {
    if (write === undefined || !write(view, index * width, element)) wrong(name, type, element)
  })
  return bytes
}

/** Flat JSON data of a tensor; integers beyond 2⁵³ as raw JSON numbers, which only `JSON.stringify` understands. */
export function decodeElements(tensor: Tensor): unknown[] {
  if (tensor.type === 'string') return decodeStrings(tensor.data)
  const read = READERS[tensor.type]
  if (read === undefined) throw new MotorpoolError('ERR_INVALID_INPUT', `${tensor.type} has no JSON form; read it through the library instead`)
  const width = TENSOR_TYPES[tensor.type] / 8
  const view = new DataView(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength)
  return Array.from({ length: tensor.data.byteLength / width }, (_, index) => read(view, index * width))
}

function flatten(name: string, dims: readonly number[], data: JsonElement): JsonElement[] {
  const count = elementCount(dims)
  if (!Array.isArray(data)) throw new MotorpoolError('ERR_INVALID_INPUT', `tensor ${name} has no data array; give its elements in data`)
  const list = data as readonly JsonElement[]
  const flat: JsonElement[] = []
  if (list.some(Array.isArray)) nested(name, dims, list, 0, flat)
  else for (const element of list) flat.push(element)
  if (flat.length !== count)
    throw new MotorpoolError(
      'ERR_INVALID_INPUT',
      `tensor ${name} has ${flat.length} elements where shape [${dims.join(', ')}] needs ${count}; give data that fits the shape`
    )
  return flat
}

function nested(name: string, dims: readonly number[], data: JsonElement, depth: number, flat: JsonElement[]): void {
  if (depth === dims.length) {
    flat.push(data)
    return
  }
  if (!Array.isArray(data) || data.length !== dims[depth]) {
    const found = Array.isArray(data) ? `${data.length} entries` : 'a single value'
    throw new MotorpoolError(
      'ERR_INVALID_INPUT',
      `tensor ${name} has ${found} at depth ${depth} where shape [${dims.join(', ')}] needs ${dims[depth]}; nest data as the shape says, or give it flat`
    )
  }
  for (const part of data as readonly JsonElement[]) nested(name, dims, part, depth + 1, flat)
}

function wrong(name: string, type: TensorType, element: JsonElement): never {
  const shown = typeof element === 'string' ? JSON.stringify(element) : String(element)
  throw new MotorpoolError('ERR_INVALID_INPUT', `tensor ${name} has the element ${shown.slice(0, 40)}, which is no ${type}; give values of its datatype`)
}

/** Writes one element; false when it isn't a value of the type. */
type Writer = (view: DataView, at: number, element: JsonElement) => boolean

function integer(least: bigint, most: bigint, write: (view: DataView, at: number, value: bigint) => void): Writer {
  return (view, at, element) => {
    if (typeof element !== 'bigint' && !Number.isSafeInteger(element)) return false
    const value = BigInt(element as number | bigint)
    if (value < least || value > most) return false
    write(view, at, value)
    return true
  }
}

function float(write: (view: DataView, at: number, value: number) => void): Writer {
  return (view, at, element) => {
    const value = typeof element === 'string' && Object.hasOwn(UNWRITABLE, element) ? UNWRITABLE[element as keyof typeof UNWRITABLE] : element
    if (typeof value !== 'number' && typeof value !== 'bigint') return false
    write(view, at, Number(value))
    return true
  }
}

const WRITERS: Partial<Record<TensorType, Writer>> = {
  bool: (view, at, element) => {
    if (element !== true && element !== false && element !== 0 && element !== 1) return false
    view.setUint8(at, Number(element))
    return true
  },
  uint8: integer(0n, 0xffn, (view, at, value) => view.setUint8(at, Number(value))),
  int8: integer(-0x80n, 0x7fn, (view, at, value) => view.setInt8(at, Number(value))),
  uint16: integer(0n, 0xffffn, (view, at, value) => view.setUint16(at, Number(value), true)),
  int16: integer(-0x8000n, 0x7fffn, (view, at, value) => view.setInt16(at, Number(value), true)),
  uint32: integer(0n, 0xffffffffn, (view, at, value) => view.setUint32(at, Number(value), true)),
  int32: integer(-0x80000000n, 0x7fffffffn, (view, at, value) => view.setInt32(at, Number(value), true)),
  uint64: integer(0n, (1n << 64n) - 1n, (view, at, value) => view.setBigUint64(at, value, true)),
  int64: integer(-(1n << 63n), (1n << 63n) - 1n, (view, at, value) => view.setBigInt64(at, value, true)),
  float16: float((view, at, value) => view.setUint16(at, halfOfFloat(value), true)),
  float32: float((view, at, value) => view.setFloat32(at, value, true)),
  float64: float((view, at, value) => view.setFloat64(at, value, true))
}

const READERS: Partial<Record<TensorType, (view: DataView, at: number) => unknown>> = {
  bool: (view, at) => view.getUint8(at) !== 0,
  uint8: (view, at) => view.getUint8(at),
  int8: (view, at) => view.getInt8(at),
  uint16: (view, at) => view.getUint16(at, true),
  int16: (view, at) => view.getInt16(at, true),
  uint32: (view, at) => view.getUint32(at, true),
  int32: (view, at) => view.getInt32(at, true),
  uint64: (view, at) => exact(view.getBigUint64(at, true)),
  int64: (view, at) => exact(view.getBigInt64(at, true)),
  float16: (view, at) => writable(floatOfHalf(view.getUint16(at, true))),
  float32: (view, at) => writable(shortest(view.getFloat32(at, true))),
  float64: (view, at) => writable(view.getFloat64(at, true))
}

/** JSON.rawJSON (ECMA-262, JSON.parse source text access), which this TypeScript's library doesn't know yet. */
const { rawJSON } = JSON as typeof JSON & { rawJSON: (text: string) => unknown }

function exact(value: bigint): unknown {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : rawJSON(value.toString())
}

function writable(value: number): unknown {
  if (Object.is(value, -0)) return rawJSON('-0.0')
  return Number.isFinite(value) ? value : String(value)
}

/** The fewest digits that still name this single: 0.1, not 0.10000000149011612. */
function shortest(value: number): number {
  if (!Number.isFinite(value)) return value
  for (const digits of [7, 8, 9]) {
    const short = Number(value.toPrecision(digits))
    if (Object.is(Math.fround(short), value)) return short
  }
  return value
}
