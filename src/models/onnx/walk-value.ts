import { LIMITS } from '../../protocol/limits.ts'
import type { LintState } from './lint-state.ts'
import { WIRE } from './protobuf-reader.ts'

/** A graph's input or output: a tensor with its element type, or something else. */
export interface ValueFacts {
  readonly name: string
  readonly kind: 'tensor' | 'other'
  readonly elementType: number
  /** -1 or a name where a dimension varies; undefined when the file doesn't tell the shape. */
  readonly dims: readonly (number | string)[] | undefined
}

/** Walks a ValueInfoProto up to `end`. */
export function* walkValue(state: LintState, end: number): Generator<undefined, ValueFacts> {
  const { reader } = state
  let name = ''
  let type: Omit<ValueFacts, 'name'> = { kind: 'other', elementType: 0, dims: undefined }
  let seen = false
  while (reader.next(end)) {
    if (state.tick()) yield
    const { field, to } = reader
    if (field !== 1 && field !== 2) continue
    state.expect(WIRE.bytes, 'a value')
    if (field === 1) name = state.name()
    else {
      state.once(seen, 'the type of a value')
      seen = true
      reader.at = reader.from
      type = yield* walkType(state, to)
    }
  }
  return { name, ...type }
}

/** TypeProto: only tensor_type (1) is looked into. */
function* walkType(state: LintState, end: number): Generator<undefined, Omit<ValueFacts, 'name'>> {
  const { reader } = state
  let type: Omit<ValueFacts, 'name'> = { kind: 'other', elementType: 0, dims: undefined }
  let kinds = 0
  while (reader.next(end)) {
    if (state.tick()) yield
    // 6 is `denotation`, a comment.
    if (reader.field === 6) continue
    state.once(kinds > 0, 'the kind of a type')
    kinds++
    if (reader.field !== 1) continue
    state.expect(WIRE.bytes, 'tensor_type')
    const { to } = reader
    reader.at = reader.from
    let elementType = 0
    let dims: (number | string)[] | undefined
    while (reader.next(to)) {
      if (state.tick()) yield
      if (reader.field === 1) {
        state.expect(WIRE.varint, 'elem_type')
        elementType = reader.int32
      } else if (reader.field === 2) {
        state.expect(WIRE.bytes, 'shape')
        state.once(dims !== undefined, 'a shape')
        const shapeEnd = reader.to
        reader.at = reader.from
        dims = yield* walkShape(state, shapeEnd)
      }
    }
    type = { kind: 'tensor', elementType, dims }
  }
  return type
}

function* walkShape(state: LintState, end: number): Generator<undefined, (number | string)[]> {
  const { reader } = state
  const dims: (number | string)[] = []
  while (reader.next(end)) {
    if (state.tick()) yield
    if (reader.field !== 1) continue
    state.expect(WIRE.bytes, 'dim')
    if (dims.length >= LIMITS.tensorRank) throw reader.broken(`a shape has more than ${LIMITS.tensorRank} dimensions`)
    const { to } = reader
    reader.at = reader.from
    let dim: number | string = -1
    while (reader.next(to)) {
      if (state.tick()) yield
      if (reader.field === 1) {
        state.expect(WIRE.varint, 'dim_value')
        dim = Number.isSafeInteger(reader.int64) && reader.int64 >= 0 ? reader.int64 : -1
      } else if (reader.field === 2) {
        state.expect(WIRE.bytes, 'dim_param')
        dim = reader.text(LIMITS.name) || -1
      }
    }
    dims.push(dim)
  }
  return dims
}
