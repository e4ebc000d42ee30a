import type { Tensor, Value } from '../../protocol/tensor.ts'
import type { ModelSignature } from '../runner.ts'

type Tensors = Value['tensors']

/** A task's rows: its inputs' common first dimension. */
export interface RowsOfTask {
  readonly rows: number
  /** Equal for tasks that may share a run: same inputs but for the number of rows, same parameters. */
  readonly key: string
}

/** Whether every input and output of a model has an open first dimension. */
export function takesRows({ inputs, outputs }: ModelSignature): boolean {
  const isOpen = ({ dims, type }: ModelSignature['inputs'][number]): boolean => typeof dims[0] !== 'number' && dims.length > 0 && type !== 'string'
  return inputs.length > 0 && inputs.every(isOpen) && outputs.every(isOpen)
}

/** The rows of an input that fits such a model; undefined when its inputs differ in their number or have none. */
export function rowsOfTask({ parameters, tensors }: Value): RowsOfTask | undefined {
  const rows = Object.values(tensors)[0]?.dims[0] ?? 0
  if (rows < 1 || Object.values(tensors).some(tensor => tensor.dims[0] !== rows)) return undefined
  const shapes = Object.entries(tensors).map(([name, { type, dims }]) => [name, type, dims.slice(1)])
  const named = Object.entries(parameters).map(([name, value]) => [name, value instanceof Uint8Array ? [Buffer.from(value).toString('hex')] : value])
  return { rows, key: JSON.stringify([shapes.toSorted(byName), named.toSorted(byName)]) }
}

/** The tensors of several tasks below each other: one copy of each. */
export function joinRows(tasks: readonly Tensors[]): Tensors {
  const [first] = tasks
  if (first === undefined || tasks.length === 1) return first ?? {}
  const joined = Object.entries(first).map(([name, { type, dims }]): [string, Tensor] => {
    const parts = tasks.flatMap(tensors => tensors[name] ?? [])
    const data = new Uint8Array(parts.reduce((sum, part) => sum + part.data.byteLength, 0))
    let at = 0
    for (const part of parts) {
      data.set(part.data, at)
      at += part.data.byteLength
    }
    return [name, { type, dims: [parts.reduce((sum, part) => sum + (part.dims[0] ?? 0), 0), ...dims.slice(1)], data }]
  })
  return Object.fromEntries(joined)
}

/** Each task's rows of a run's outputs, as views; undefined when an output doesn't have a row for each row that went in. */
export function splitRows(outputs: Tensors, rows: readonly number[]): readonly Tensors[] | undefined {
  const total = rows.reduce((sum, count) => sum + count, 0)
  const entries = Object.entries(outputs)
  if (entries.some(([, { dims, type }]) => dims[0] !== total || type === 'string')) return undefined
  let before = 0
  return rows.map(count => {
    const from = before
    before += count
    const own = entries.map(([name, { type, dims, data }]): [string, Tensor] => {
      const rowBytes = data.byteLength / total
      return [name, { type, dims: [count, ...dims.slice(1)], data: data.subarray(from * rowBytes, (from + count) * rowBytes) }]
    })
    return Object.fromEntries(own)
  })
}

/** Whether two sets of tensors are equal bit for bit. */
export function equalTensors(left: Tensors, right: Tensors): boolean {
  return Object.entries(left).every(([name, tensor]) => {
    const other = right[name]
    return other !== undefined && String(other.dims) === String(tensor.dims) && Buffer.compare(other.data, tensor.data) === 0
  })
}

function byName(left: readonly unknown[], right: readonly unknown[]): number {
  return String(left[0]) < String(right[0]) ? -1 : 1
}
