import { LIMITS } from '../../protocol/limits.ts'
import { ELEMENT_TYPES, INT64_TYPE, STRING_TYPE } from './element-types.ts'
import { badModel, type LintState, MODEL_LIMITS } from './lint-state.ts'
import { WIRE } from './protobuf-reader.ts'

/** What the linter keeps of a TensorProto. */
export interface TensorFacts {
  readonly name: string
  /** Product of the values of a small int64 tensor, such as a shape; undefined for others. */
  readonly shapeProduct: number | undefined
}

/** Shapes are short; longer int64 tensors aren't looked into. */
const SHAPE_VALUES = 32

/** Walks a TensorProto up to `end`. Its data are skipped, but must be in the file and have the size that its shape says. */
export function* walkTensor(state: LintState, end: number): Generator<undefined, TensorFacts> {
  const { reader } = state
  let name = ''
  let type = 0
  let elements = 1
  let rawFrom = -1
  let rawBytes = 0
  let typedBytes = 0
  let strings = 0
  const values: number[] = []
  let rank = 0
  const dimension = (): void => {
    elements *= readDimension(state, rank++)
  }
  while (reader.next(end)) {
    if (state.tick()) yield
    switch (reader.field) {
      case 1:
        if (reader.wire === WIRE.varint) dimension()
        else for (const to = packed(state, 'dims'); reader.nextPacked(to); ) dimension()
        break
      case 2:
        state.expect(WIRE.varint, 'data_type')
        type = reader.int32
        break
      case 3:
        throw badModel('splits a tensor into segments', 'save it in one file')
      case 4:
      case 5:
      case 10:
      case 11:
        typedBytes += reader.wire === WIRE.varint ? 1 : reader.to - reader.from
        break
      case 6:
        state.expect(WIRE.bytes, 'string_data')
        strings++
        break
      case 7:
        if (reader.wire === WIRE.varint) {
          typedBytes++
          if (values.length <= SHAPE_VALUES) values.push(reader.int64)
        } else {
          const to = packed(state, 'int64_data')
          typedBytes += to - reader.at
          while (values.length <= SHAPE_VALUES && reader.nextPacked(to)) values.push(reader.int64)
          reader.at = to
        }
        break
      case 8:
        state.expect(WIRE.bytes, 'name')
        name = state.name()
        break
      case 9:
        state.expect(WIRE.bytes, 'raw_data')
        state.once(rawFrom >= 0, 'raw_data')
        rawFrom = reader.from
        rawBytes = reader.to - reader.from
        break
      case 13:
        throw externalData()
      case 14:
        state.expect(WIRE.varint, 'data_location')
        if (reader.int32 !== 0) throw externalData()
        break
      default:
    }
  }
  checkSize(name, type, elements, { raw: rawFrom >= 0, rawBytes, typedBytes, strings })
  if (type !== INT64_TYPE || elements > SHAPE_VALUES) return { name, shapeProduct: undefined }
  const shape = rawFrom >= 0 ? reader.int64s(rawFrom, rawBytes) : values
  return { name, shapeProduct: shape.reduce((product, value) => product * value, 1) }
}

/** Walks a SparseTensorProto, whose dense size counts: ONNX Runtime unfolds it. Returns the name of its values. */
export function* walkSparseTensor(state: LintState, end: number): Generator<undefined, string> {
  const { reader } = state
  let name = ''
  let elements = 1
  let rank = 0
  const seen = new Set<number>()
  while (reader.next(end)) {
    if (state.tick()) yield
    if (reader.field === 1 || reader.field === 2) {
      const { field, to } = reader
      state.expect(WIRE.bytes, 'a sparse tensor')
      state.once(seen.has(field), 'values or indices of a sparse tensor')
      seen.add(field)
      reader.at = reader.from
      const part = yield* walkTensor(state, to)
      if (field === 1) name = part.name
    } else if (reader.field === 3) {
      if (reader.wire === WIRE.varint) elements *= readDimension(state, rank++)
      else for (const to = packed(state, 'dims'); reader.nextPacked(to); ) elements *= readDimension(state, rank++)
    }
  }
  if (elements > MODEL_LIMITS.constantElements) {
    throw badModel(`has a sparse tensor of ${elements} elements`, `keep it within ${MODEL_LIMITS.constantElements}`)
  }
  return name
}

function readDimension(state: LintState, rank: number): number {
  if (rank >= LIMITS.tensorRank) throw badModel(`has a tensor of more than ${LIMITS.tensorRank} dimensions`, 'reshape it')
  if (state.reader.int64 < 0) throw badModel('has a tensor with a negative dimension', 'export it again')
  return state.reader.int64
}

/** Sets the reader at the first value of a packed list, and returns where the list ends. */
export function packed(state: LintState, field: string): number {
  state.expect(WIRE.bytes, field)
  state.reader.at = state.reader.from
  return state.reader.to
}

function externalData() {
  return badModel('keeps tensors outside of its file', 'save it as one file (onnx.save_model without external data)')
}

interface TensorBytes {
  readonly raw: boolean
  readonly rawBytes: number
  readonly typedBytes: number
  readonly strings: number
}

function checkSize(name: string, type: number, elements: number, data: TensorBytes): void {
  // Exporters leave empty tensors in attributes that hold something else.
  if (type === 0 && !data.raw && data.typedBytes === 0 && data.strings === 0) return
  const element = ELEMENT_TYPES.get(type)
  if (element === undefined) throw badModel(`has a tensor ${quote(name)} of unknown type ${type}`, 'export it with types of ONNX 1.20')
  const fits =
    type === STRING_TYPE
      ? data.strings === elements
      : data.raw
        ? data.rawBytes === Math.ceil((elements * element.bits) / 8)
        : // Typed data are varints of at least a byte, which hold at most four elements (of two bits).
          elements <= 4 * data.typedBytes
  if (!fits) throw badModel(`has a tensor ${quote(name)} whose data don't fill its shape`, 'export it again')
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 80))
}
