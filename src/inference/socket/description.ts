import { fromHex, toHex } from '../../protocol/ids.ts'
import type { ParameterValue, TensorType, Value } from '../../protocol/tensor.ts'

/**
 * All of a value but its tensors' bytes, as JSON. Parameters are pairs, so that no name means something to JavaScript; bytes
 * among them are hex.
 */
export interface WireDescription {
  readonly kind: string
  readonly parameters: readonly (readonly [name: string, value: Exclude<ParameterValue, Uint8Array> | { readonly hex: string }])[]
  readonly tensors: readonly DescribedTensor[]
}

interface DescribedTensor {
  readonly name: string
  readonly type: TensorType
  readonly dims: readonly number[]
  /** Bytes. */
  readonly size: number
}

/** All of a value but its tensors' bytes; the same object for every value that is alike in a row. */
export interface Description {
  readonly kind: string
  readonly parameters: Value['parameters']
  readonly tensors: readonly DescribedTensor[]
}

/** Describes values. Those of one model are mostly alike, and then it takes a comparison with the last one. */
export function createDescriber(): (value: Value) => Uint8Array {
  let last: WireDescription | undefined
  let text = new Uint8Array()
  return value => {
    if (last !== undefined && isOf(last, value)) return text
    last = {
      kind: value.kind,
      parameters: Object.entries(value.parameters).map(([name, parameter]) => [name, parameter instanceof Uint8Array ? { hex: toHex(parameter) } : parameter]),
      tensors: Object.entries(value.tensors).map(([name, { type, dims, data }]) => ({ name, type, dims: [...dims], size: data.byteLength }))
    }
    text = Buffer.from(JSON.stringify(last), 'utf8')
    return text
  }
}

/** Whether a description is this value's; not always seen where parameters are bytes. */
function isOf(known: WireDescription, { kind, parameters, tensors }: Value): boolean {
  if (known.kind !== kind) return false
  const parameterNames = Object.keys(parameters)
  if (parameterNames.length !== known.parameters.length) return false
  for (let at = 0; at < parameterNames.length; at++) {
    const [name, parameter] = known.parameters[at] ?? []
    if (name === undefined || name !== parameterNames[at] || parameters[name] !== parameter) return false
  }
  const names = Object.keys(tensors)
  if (names.length !== known.tensors.length) return false
  for (let at = 0; at < names.length; at++) {
    const described = known.tensors[at]
    if (described === undefined || described.name !== names[at]) return false
    const tensor = tensors[described.name]
    if (tensor === undefined || tensor.type !== described.type || tensor.data.byteLength !== described.size) return false
    if (!equalDims(tensor.dims, described.dims)) return false
  }
  return true
}

function equalDims(left: readonly number[], right: readonly number[]): boolean {
  if (left.length !== right.length) return false
  for (let at = 0; at < left.length; at++) if (left[at] !== right[at]) return false
  return true
}

/** Reads descriptions; the same bytes again give the same object again, which `check` has seen. It throws what `check` throws. */
export function createDescriptionReader(check: (parsed: unknown) => WireDescription): (text: Uint8Array) => Description {
  let last = new Uint8Array()
  let read: Description | undefined
  return text => {
    if (read !== undefined && last.length === text.length && Buffer.compare(last, text) === 0) return read
    const { kind, parameters, tensors } = check(JSON.parse(Buffer.from(text).toString('utf8')))
    const named = parameters.map(([name, value]): [string, ParameterValue] => [name, typeof value === 'object' && value !== null ? fromHex(value.hex) : value])
    read = { kind, parameters: Object.freeze(Object.fromEntries(named)), tensors }
    last = text.slice()
    return read
  }
}
