import { badModel, type LintState, MODEL_LIMITS } from './lint-state.ts'
import { WIRE } from './protobuf-reader.ts'
import { packed, walkSparseTensor, walkTensor } from './walk-tensor.ts'
import { type ValueFacts, walkValue } from './walk-value.ts'

/** An operator, or a function of the model, that a body calls. */
export interface Call {
  readonly domain: string
  readonly operator: string
  times: number
}

/** What the main graph's or one function's nodes call, those of nested subgraphs included. */
export interface Body {
  nodes: number
  /** By `operatorKey`. */
  readonly calls: Map<string, Call>
}

/** A tensor's shape, given by the value of that name. */
interface ShapeUse {
  readonly operator: string
  readonly name: string
}

interface Edges {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

/** What the linter keeps of a graph while it walks it. */
export class GraphFacts {
  readonly inputs: ValueFacts[] = []
  readonly outputs: ValueFacts[] = []
  readonly initializers = new Set<string>()
  readonly edges: Edges[] = []
  /** Products of constant shapes. */
  readonly shapeProducts = new Map<string, number>()
  shapeUses: ShapeUse[] = []
}

/** Inputs that hold the shape of an output, by operator. */
const SHAPE_INPUT: Readonly<Record<string, number>> = { ConstantOfShape: 0, Expand: 1, Tile: 1 }

/** Fields of an attribute that hold lists: `tensors`, `graphs`, `sparse_tensors`. */
const REPEATED: ReadonlySet<number> = new Set([10, 11, 23])

/** A name for an operator that no other (domain, name, overload) has. `ai.onnx` is the empty domain's other name. */
export function operatorKey(domain: string, name: string, overload: string): string {
  const spelling = domain === 'ai.onnx' ? '' : domain
  return `${spelling.length}:${name.length}:${spelling}${name}${overload}`
}

/** Walks a GraphProto up to `end`. */
export function* walkGraph(state: LintState, end: number, body: Body, depth: number): Generator<undefined, GraphFacts> {
  if (depth > MODEL_LIMITS.graphDepth) throw badModel(`nests graphs more than ${MODEL_LIMITS.graphDepth} deep`, 'simplify it')
  const { reader } = state
  const graph = new GraphFacts()
  while (reader.next(end)) {
    if (state.tick()) yield
    const { field, to } = reader
    if (field !== 1 && field !== 5 && field !== 11 && field !== 12 && field !== 15) continue
    state.expect(WIRE.bytes, 'a field of the graph')
    reader.at = reader.from
    if (field === 1) yield* walkNode(state, to, body, graph, depth)
    else if (field === 11) graph.inputs.push(yield* walkValue(state, to))
    else if (field === 12) graph.outputs.push(yield* walkValue(state, to))
    else if (field === 15) graph.initializers.add(yield* walkSparseTensor(state, to))
    else {
      const tensor = yield* walkTensor(state, to)
      graph.initializers.add(tensor.name)
      if (tensor.shapeProduct !== undefined) graph.shapeProducts.set(tensor.name, tensor.shapeProduct)
    }
  }
  yield* checkGraph(state, graph)
  return graph
}

/** Walks a NodeProto up to `end` and adds it to its graph. */
export function* walkNode(state: LintState, end: number, body: Body, graph: GraphFacts, depth: number): Generator<undefined, void> {
  state.countNode()
  body.nodes++
  const { reader } = state
  const inputs: string[] = []
  const outputs: string[] = []
  let operator = ''
  let domain = ''
  let overload = ''
  let shapes: Map<string, number> | undefined
  while (reader.next(end)) {
    if (state.tick()) yield
    const { field, to } = reader
    if (field === 5) {
      state.expect(WIRE.bytes, 'attribute')
      reader.at = reader.from
      const attribute = yield* walkAttribute(state, to, body, graph, depth)
      if (attribute.shapeProduct !== undefined) {
        shapes ??= new Map()
        shapes.set(attribute.name, attribute.shapeProduct)
      }
    } else if (field === 1 || field === 2 || field === 4 || field === 7 || field === 8) {
      state.expect(WIRE.bytes, 'a name of a node')
      const name = state.name()
      if (field === 1) inputs.push(name)
      else if (field === 2) outputs.push(name)
      else if (field === 4) operator = name
      else if (field === 7) domain = name
      else overload = name
    }
  }
  graph.edges.push({ inputs, outputs })
  const key = operatorKey(domain, operator, overload)
  const call = body.calls.get(key)
  if (call === undefined) body.calls.set(key, { domain, operator, times: 1 })
  else call.times++
  if (domain !== '' && domain !== 'ai.onnx') return
  const constant = shapes?.get('value') ?? shapes?.get('value_ints') ?? shapes?.get('value_int')
  if (operator === 'Constant' && constant !== undefined && outputs[0] !== undefined) graph.shapeProducts.set(outputs[0], constant)
  if (operator === 'RandomNormal' || operator === 'RandomUniform') checkElements(operator, shapes?.get('shape') ?? 0)
  const shapeInput = inputs[SHAPE_INPUT[operator] ?? -1]
  if (shapeInput !== undefined) graph.shapeUses.push({ operator, name: shapeInput })
}

/** Walks an AttributeProto; subgraphs hand what they couldn't resolve to `outer`. */
export function* walkAttribute(
  state: LintState,
  end: number,
  body: Body,
  outer: GraphFacts,
  depth: number
): Generator<undefined, { readonly name: string; readonly shapeProduct: number | undefined }> {
  const { reader } = state
  let name = ''
  let shapeProduct: number | undefined
  let seen: Set<number> | undefined
  while (reader.next(end)) {
    if (state.tick()) yield
    const { field, to } = reader
    switch (field) {
      case 1:
        state.expect(WIRE.bytes, 'name')
        name = state.name()
        break
      case 3:
        state.expect(WIRE.varint, 'i')
        shapeProduct = reader.int64
        break
      case 8:
        shapeProduct ??= 1
        if (reader.wire === WIRE.varint) shapeProduct *= reader.int64
        else
          for (const listEnd = packed(state, 'ints'); reader.nextPacked(listEnd); ) {
            if (state.tick()) yield
            shapeProduct *= reader.int64
          }
        break
      case 5:
      case 6:
      case 10:
      case 11:
      case 22:
      case 23:
        seen ??= new Set()
        state.once(seen.has(field) && !REPEATED.has(field), 'a tensor or graph of an attribute')
        seen.add(field)
        state.expect(WIRE.bytes, 'a tensor or graph of an attribute')
        reader.at = reader.from
        if (field === 5) ({ shapeProduct } = yield* walkTensor(state, to))
        else if (field === 10) yield* walkTensor(state, to)
        else if (field === 22 || field === 23) yield* walkSparseTensor(state, to)
        else for (const use of (yield* walkGraph(state, to, body, depth + 1)).shapeUses) outer.shapeUses.push(use)
        break
      default:
    }
  }
  return { name, shapeProduct }
}

/** Checks what only shows once all of a graph, or of a function's body, is known. */
export function* checkGraph(state: LintState, graph: GraphFacts): Generator<undefined, void> {
  checkShapes(graph)
  yield* checkCircles(state, graph)
}

/** Refuses constant shapes that are too large; what is left may be resolved by the graph around. */
function checkShapes(graph: GraphFacts): void {
  graph.shapeUses = graph.shapeUses.filter(({ operator, name }) => {
    const product = graph.shapeProducts.get(name)
    if (product !== undefined) checkElements(operator, product)
    return product === undefined
  })
}

function checkElements(operator: string, elements: number): void {
  if (elements > MODEL_LIMITS.constantElements) {
    throw badModel(`makes a tensor of ${elements} elements (${operator})`, `keep constant shapes within ${MODEL_LIMITS.constantElements}`)
  }
}

/** Refuses nodes that wait for each other (Kahn's topological sort); values from graphs around count as given. */
function* checkCircles(state: LintState, graph: GraphFacts): Generator<undefined, void> {
  const producers = new Map<string, number>()
  for (const [index, edge] of graph.edges.entries()) {
    for (const output of edge.outputs) {
      if (state.tick()) yield
      if (output !== '') producers.set(output, index)
    }
  }
  const waiting = new Uint32Array(graph.edges.length)
  const followers: number[][] = graph.edges.map(() => [])
  for (const [index, edge] of graph.edges.entries()) {
    for (const input of edge.inputs) {
      if (state.tick()) yield
      const producer = producers.get(input)
      if (producer === undefined) continue
      followers[producer]?.push(index)
      waiting[index] = (waiting[index] ?? 0) + 1
    }
  }
  const ready = [...waiting.keys()].filter(index => waiting[index] === 0)
  for (let done = 0; done < ready.length; done++) {
    for (const follower of followers[ready[done] ?? 0] ?? []) {
      if (state.tick()) yield
      const left = (waiting[follower] ?? 0) - 1
      waiting[follower] = left
      if (left === 0) ready.push(follower)
    }
  }
  if (ready.length < graph.edges.length) throw badModel('has nodes that wait for each other in a circle', 'export it again')
}
