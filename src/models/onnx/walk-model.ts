import { badModel, type LintState, MODEL_LIMITS } from './lint-state.ts'
import { WIRE } from './protobuf-reader.ts'
import { type Body, checkGraph, GraphFacts, operatorKey, walkAttribute, walkGraph, walkNode } from './walk-graph.ts'

export interface Opset {
  /** Empty for ONNX's own operators. */
  readonly domain: string
  readonly version: number
}

/** What the linter keeps of a whole model. */
export interface ModelFacts {
  readonly irVersion: number
  /** Every domain and version that the model or a function imports. */
  readonly opsets: readonly Opset[]
  readonly graph: GraphFacts
  readonly main: Body
  readonly functions: ReadonlyMap<string, Body>
}

/** Walks a ModelProto. Throws `ERR_NOT_ONNX` when the bytes are none, `ERR_BAD_MODEL` for what a model may not hold. */
export function* walkModel(state: LintState): Generator<undefined, ModelFacts> {
  const { reader } = state
  const end = reader.byteLength
  const main: Body = { nodes: 0, calls: new Map() }
  const functions = new Map<string, Body>()
  const opsets = new Map<string, Opset>()
  let irVersion = 0
  let graph: GraphFacts | undefined
  while (reader.next(end)) {
    if (state.tick()) yield
    const { field, to } = reader
    if (field === 1) {
      state.expect(WIRE.varint, 'ir_version')
      irVersion = reader.int64
    }
    if (field !== 7 && field !== 8 && field !== 20 && field !== 25) continue
    state.expect(WIRE.bytes, 'a field of the model')
    reader.at = reader.from
    if (field === 7) {
      state.once(graph !== undefined, 'a graph')
      graph = yield* walkGraph(state, to, main, 1)
    } else if (field === 8) yield* walkOpset(state, to, opsets)
    else if (field === 20) yield* walkTraining(state, to)
    else {
      const [key, body] = yield* walkFunction(state, to, opsets)
      if (functions.has(key)) throw badModel('defines one function twice', 'export it again')
      if (functions.size >= MODEL_LIMITS.functions) throw badModel(`has more than ${MODEL_LIMITS.functions} functions`, 'inline them')
      functions.set(key, body)
    }
  }
  if (graph === undefined) throw reader.broken('no graph')
  if (opsets.size === 0) throw reader.broken('no operator set')
  return { irVersion, opsets: [...opsets.values()], graph, main, functions }
}

/** OperatorSetIdProto. */
function* walkOpset(state: LintState, end: number, opsets: Map<string, Opset>): Generator<undefined, void> {
  const { reader } = state
  let domain = ''
  let version = 0
  while (reader.next(end)) {
    if (state.tick()) yield
    if (reader.field === 1) {
      state.expect(WIRE.bytes, 'domain')
      domain = state.name()
    } else if (reader.field === 2) {
      state.expect(WIRE.varint, 'version')
      version = reader.int64
    }
  }
  if (opsets.size >= MODEL_LIMITS.operatorSets) throw badModel(`imports more than ${MODEL_LIMITS.operatorSets} operator sets`, 'export it again')
  // Every function imports its own, mostly the same.
  opsets.set(`${version} ${domain}`, { domain: domain === 'ai.onnx' ? '' : domain, version })
}

/** TrainingInfoProto: its graphs are never run here, but may not hide external data. */
function* walkTraining(state: LintState, end: number): Generator<undefined, void> {
  const { reader } = state
  while (reader.next(end)) {
    if (state.tick()) yield
    const { to } = reader
    if (reader.field !== 1 && reader.field !== 2) continue
    state.expect(WIRE.bytes, 'a training graph')
    reader.at = reader.from
    yield* walkGraph(state, to, { nodes: 0, calls: new Map() }, 1)
  }
}

/** FunctionProto: its operator key and body. */
function* walkFunction(state: LintState, end: number, opsets: Map<string, Opset>): Generator<undefined, [string, Body]> {
  const { reader } = state
  const body: Body = { nodes: 0, calls: new Map() }
  const graph = new GraphFacts()
  let name = ''
  let domain = ''
  let overload = ''
  while (reader.next(end)) {
    if (state.tick()) yield
    const { field, to } = reader
    if (field === 1 || field === 10 || field === 13) {
      state.expect(WIRE.bytes, 'a name of a function')
      const text = state.name()
      if (field === 1) name = text
      else if (field === 10) domain = text
      else overload = text
    } else if (field === 7 || field === 9 || field === 11) {
      state.expect(WIRE.bytes, 'a field of a function')
      reader.at = reader.from
      if (field === 7) yield* walkNode(state, to, body, graph, 1)
      else if (field === 9) yield* walkOpset(state, to, opsets)
      else yield* walkAttribute(state, to, body, graph, 1)
    }
  }
  yield* checkGraph(state, graph)
  return [operatorKey(domain, name, overload), body]
}
