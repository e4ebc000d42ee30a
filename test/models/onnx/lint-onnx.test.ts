import { describe, expect, it } from 'vitest'
import { bytesSource } from '../../../src/models/onnx/byte-source.ts'
import { lintOnnx } from '../../../src/models/onnx/lint-onnx.ts'
import { MODEL_LIMITS } from '../../../src/models/onnx/lint-state.ts'
import { addModel, bombModel, crasherModel, identityModel, loadBombModel, loopModel, sequenceModel } from '../../fixtures/models/make.ts'
import { functionProto, graphAttribute, graphProto, modelProto, node, tensorInfo, tensorProto } from '../../fixtures/models/onnx-writer.ts'
import { message, repeated } from '../../fixtures/models/protobuf.ts'

type Field = readonly [number, bigint | number | string | Uint8Array]

const lint = (bytes: Uint8Array) => lintOnnx(bytesSource(bytes))
const int64 = (...values: readonly number[]) => new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
const float32 = (...values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer)
const x = tensorInfo('x', 'float32', [1])
const y = tensorInfo('y', 'float32', [1])
const identity = node('Identity', ['x'], ['y'])

/** A ModelProto around any graph, with what its other fields are. */
function model(graph: Uint8Array, options: { opsets?: readonly (readonly [string, number])[]; ir?: number; more?: readonly Field[] } = {}): Uint8Array {
  const opsets = (options.opsets ?? [['', 21]]).map(([domain, version]) => message([1, domain], [2, version]))
  return message([1, options.ir ?? 10], [7, graph], ...repeated(8, opsets), ...(options.more ?? []))
}

/** `y = x` with other fields in its graph, and nodes before its own. */
function graphWith(fields: readonly Field[], nodes: readonly Uint8Array[] = []): Uint8Array {
  return message(...repeated(1, [...nodes, identity]), [11, x], [12, y], ...fields)
}

const withNode = (...nodes: readonly Uint8Array[]) => model(graphWith([], nodes))
const external = message([1, 4], [2, 1], [8, 'w'], ...repeated(13, [message([1, 'location'], [2, 'weights.bin'])]), [14, 1])
const onlyLocation = message([1, 4], [2, 1], [8, 'w'], [14, 1])
const onlyEntries = message([1, 4], [2, 1], [8, 'w'], ...repeated(13, [message([1, 'location'], [2, '../../etc/passwd'])]))
const attribute = (number: number, value: Uint8Array) => message([1, 'value'], [number, value])
const constant = (attributes: Uint8Array) => node('Constant', [], ['c'], [attributes])

/** A model with very many nodes that all do the same. */
function manyNodes(count: number): Uint8Array {
  const field = message([1, node('Abs', ['x'], ['z'])])
  return model(Buffer.concat([Buffer.alloc(field.length * count, field), graphWith([])]))
}

/** A graph nested `depth` deep through If. */
function nested(depth: number): Uint8Array {
  let graph = graphProto({ nodes: [identity], inputs: [], outputs: [y] })
  for (let at = 0; at < depth; at++) graph = graphProto({ nodes: [node('If', ['x'], ['y'], [graphAttribute('then_branch', graph)])], inputs: [], outputs: [y] })
  return graph
}

const call = (name: string, times = 1) => Array.from({ length: times }, () => node(name, ['x'], ['y'], [], 'own'))
const own = (name: string, nodes: readonly Uint8Array[]) => functionProto('own', name, ['x'], ['y'], nodes)
const withFunctions = (...functions: readonly Uint8Array[]) => modelProto({ nodes: call('f0'), inputs: [x], outputs: [y] }, { functions, domain: 'own' })

describe('lintOnnx accepts', () => {
  it('a small model, and tells its inputs and outputs', async () => {
    const summary = await lint(identityModel('int64', ['rows', 3]))
    expect(summary.inputs).toEqual([{ name: 'x', type: 'int64', dims: ['rows', 3] }])
    expect(summary.outputs).toEqual([{ name: 'y', type: 'int64', dims: ['rows', 3] }])
    expect(summary.opsets).toEqual([{ domain: '', version: 21 }])
  })

  it('inputs that have a default, which it leaves out', async () => {
    expect((await lint(addModel({ bDefault: [1, 2] }))).inputs.map(input => input.name)).toEqual(['a'])
  })

  it('a shape that the file does not tell', async () => {
    expect((await lint(identityModel('float32', null))).inputs[0]?.dims).toBeNull()
  })

  it('what only a running worker can contain: endless loops, sizes from inputs', async () => {
    await expect(lint(loopModel())).resolves.toBeDefined()
    await expect(lint(bombModel())).resolves.toBeDefined()
  })

  it('functions of its own, subgraphs, constants and sparse tensors', async () => {
    await expect(lint(withFunctions(own('f0', call('f1')), own('f1', [identity])))).resolves.toBeDefined()
    await expect(lint(model(nestedMain(3)))).resolves.toBeDefined()
    await expect(lint(withNode(constant(attribute(5, tensorProto('', 'float32', [2], float32(1, 2))))))).resolves.toBeDefined()
    await expect(lint(model(graphWith([[15, sparse([4, 4])]])))).resolves.toBeDefined()
  })
})

function nestedMain(depth: number): Uint8Array {
  return message([1, node('If', ['x'], ['y'], [graphAttribute('then_branch', nested(depth - 2))])], [11, x], [12, y])
}

function sparse(dims: readonly number[]): Uint8Array {
  return message([1, tensorProto('s', 'float32', [1], float32(1))], [2, tensorProto('', 'int64', [1], int64(0))], ...repeated(3, dims))
}

describe('lintOnnx refuses as not ONNX', () => {
  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /empty/],
    ['a PNG image', Buffer.from('\x89PNG\r\n\x1a\n0000', 'latin1'), /PNG/],
    ['a JPEG image', Buffer.from('\xff\xd8\xff\xe0JFIF', 'latin1'), /JPEG/],
    ['a ZIP archive', Buffer.from('PK\x03\x04abcdefgh', 'latin1'), /ZIP.*export the model as ONNX/],
    ['a GGUF file', Buffer.from('GGUF\x03\x00\x00\x00', 'latin1'), /GGUF/],
    ['a Git LFS pointer', Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00'), /git lfs pull/],
    ['a web page', Buffer.from('<!doctype html><title>404</title>'), /HTML/],
    ['a safetensors file', Buffer.from('\x10\0\0\0\0\0\0\0{"__metadata__":{}}', 'latin1'), /safetensors/],
    ['a TensorFlow Lite model', Buffer.from('\x1c\0\0\0TFL3\0\0', 'latin1'), /TensorFlow Lite/],
    ['text', Buffer.from('hello, world\n'.repeat(20)), /not an ONNX model/],
    ['zeros', new Uint8Array(4096), /not an ONNX model/],
    ['another protobuf message', tensorProto('w', 'float32', [2], float32(1, 2)), /not an ONNX model/],
    ['a message without a graph', message([1, 10], [2, 'exporter'], [8, message([2, 21])]), /no graph/],
    ['a model without operator sets', message([1, 10], [7, graphWith([])]), /no operator set/],
    ['a graph that is a number', message([1, 10], [7, 5], [8, message([2, 21])]), /wire type/],
    ['a group', Uint8Array.of(0x0b, 0x0c), /wire type 3/],
    ['a length beyond the file', Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f), /ends beyond/],
    ['a length beyond 2⁵³', Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), /ends beyond/],
    ['a number of eleven bytes', Uint8Array.of(0x08, ...new Array<number>(10).fill(0x80), 0x01), /longer than 64 bits|ends/]
  ])('%s', async (_name, bytes, text) => {
    await expect(lint(bytes)).rejects.toMatchObject({ name: 'MotorpoolError', code: 'ERR_NOT_ONNX', message: expect.stringMatching(text) })
  })

  it("ONNX Runtime's own format, also inside of valid protobuf, as ORT reads those bytes its own way", async () => {
    // A producer name (field 2) puts the mark at byte 4.
    const bytes = Buffer.concat([message([2, 'xxORTMxx']).subarray(0, 10), identityModel('float32')])
    expect(bytes.subarray(4, 8).toString()).toBe('ORTM')
    await expect(lint(bytes)).rejects.toMatchObject({ code: 'ERR_NOT_ONNX', message: expect.stringMatching(/ORT-format/) })
  })

  it('a model cut off at any byte', async () => {
    const whole = addModel({ bDefault: [1, 2] })
    const summary = await lint(whole)
    for (let length = 0; length < whole.length; length++) {
      const cut = await lint(whole.subarray(0, length)).catch((error: unknown) => error)
      // Cut after its last list of operators, it is still the same model to every reader.
      if (cut instanceof Error) expect(cut).toMatchObject({ name: 'MotorpoolError', code: 'ERR_NOT_ONNX' })
      else expect(cut).toEqual(summary)
    }
  })
})

describe('lintOnnx refuses external data', () => {
  it.each<[string, Uint8Array]>([
    ['in an initializer', model(graphWith([[5, external]]))],
    ['by its location alone', model(graphWith([[5, onlyLocation]]))],
    ['by its entries alone', model(graphWith([[5, onlyEntries]]))],
    ['with a location that only 32 bits show', model(graphWith([[5, message([8, 'w'], [2, 1], [1, 4], [14, 2n ** 32n + 1n])]]))],
    ['hidden before another location', model(graphWith([[5, message([8, 'w'], [2, 1], [1, 4], [14, 1], [14, 0])]]))],
    ['in an attribute', withNode(constant(attribute(5, external)))],
    ['in a list of tensors', withNode(constant(attribute(10, external)))],
    ['in the values of a sparse tensor', withNode(constant(attribute(22, message([1, external]))))],
    ['in the indices of a sparse tensor', withNode(constant(attribute(23, message([1, tensorProto('', 'float32', [0], float32())], [2, external]))))],
    ['in a sparse initializer', model(graphWith([[15, message([1, external])]]))],
    ['in a nested graph', withNode(node('If', ['x'], ['z'], [graphAttribute('then_branch', graphWith([[5, external]]))]))],
    ['in a list of graphs', withNode(node('If', ['x'], ['z'], [attribute(11, graphWith([[5, external]]))]))],
    ['in a function', withFunctions(own('f0', [constant(attribute(5, external)), identity]))],
    ["in a function's default attribute", withFunctions(message([1, 'f0'], [10, 'own'], [7, identity], [11, attribute(5, external)]))],
    ['in a training graph', model(graphWith([]), { more: [[20, message([1, graphWith([[5, external]])])]] })]
  ])('%s', async (_name, bytes) => {
    await expect(lint(bytes)).rejects.toMatchObject({ code: 'ERR_BAD_MODEL', message: expect.stringMatching(/outside of its file; save it as one file/) })
  })
})

describe('lintOnnx refuses', () => {
  it.each<[string, Uint8Array, RegExp]>([
    ['a constant of 8 GiB', loadBombModel(8), /makes a tensor of 2147483648 elements \(ConstantOfShape\)/],
    [
      'a constant shape from a Constant node',
      withNode(constant(attribute(5, tensorProto('', 'int64', [2], int64(2 ** 20, 2 ** 20)))), node('ConstantOfShape', ['c'], ['z'])),
      /ConstantOfShape/
    ],
    [
      'a constant shape from value_ints',
      withNode(node('Constant', [], ['c'], [message([1, 'value_ints'], [8, 2 ** 20], [8, 2 ** 20])]), node('Expand', ['x', 'c'], ['z'])),
      /Expand/
    ],
    [
      'a constant shape that a subgraph takes from outside',
      model(
        graphWith(
          [[5, tensorProto('shape', 'int64', [1], int64(2 ** 40))]],
          [node('If', ['x'], ['z'], [graphAttribute('then_branch', message([1, node('ConstantOfShape', ['shape'], ['q'])]))])]
        )
      ),
      /ConstantOfShape/
    ],
    ['random numbers without end', withNode(node('RandomNormal', [], ['z'], [message([1, 'shape'], [8, 2 ** 31], [8, 64])])), /RandomNormal/],
    ['a sparse tensor that unfolds', model(graphWith([[15, sparse([2 ** 20, 2 ** 20])]])), /sparse tensor/],
    [
      'a tensor with fewer data than its shape',
      model(graphWith([[5, tensorProto('w', 'float32', [2 ** 20, 2 ** 20], float32(1))]])),
      /"w" whose data don't fill its shape/
    ],
    ['a tensor with more data than its shape', model(graphWith([[5, tensorProto('w', 'float32', [1], float32(1, 2))]])), /don't fill/],
    ['a tensor without data', model(graphWith([[5, message([1, 2 ** 31], [2, 1], [8, 'w'])]])), /don't fill/],
    ['a tensor of a negative dimension', model(graphWith([[5, message([1, -1], [2, 1], [8, 'w'])]])), /negative/],
    [
      'a tensor of too many dimensions',
      model(graphWith([[5, message(...repeated(1, new Array<number>(33).fill(1)), [2, 1], [9, float32(1)])]])),
      /more than 32 dimensions/
    ],
    ['a tensor of unknown type', model(graphWith([[5, message([1, 1], [2, 99], [9, float32(1)])]])), /unknown type 99/],
    ['a tensor in segments', model(graphWith([[5, message([1, 1], [3, message([1, 0], [2, 1])])]])), /segments/],
    ['graphs nested too deep', model(nestedMain(MODEL_LIMITS.graphDepth + 1)), /nests graphs more than/],
    ['a chain of functions that crashes ONNX Runtime', crasherModel(), /chains functions more than/],
    ['functions that call themselves', withFunctions(own('f0', call('f0'))), /circle/],
    ['functions that call each other in a circle', withFunctions(own('f0', call('f1')), own('f1', call('f0'))), /circle/],
    [
      'functions that unfold to millions of nodes',
      withFunctions(...Array.from({ length: 25 }, (_, at) => own(`f${at}`, at < 24 ? call(`f${at + 1}`, 2) : [identity]))),
      /unfolds its functions to more than/
    ],
    ['one function twice', withFunctions(own('f0', [identity]), own('f0', [identity])), /twice/],
    [
      'more functions than any model has',
      withFunctions(...Array.from({ length: MODEL_LIMITS.functions + 1 }, (_, at) => own(`f${at}`, [identity]))),
      /more than 4096 functions/
    ],
    ['an unknown operator', withNode(node('Explode', ['x'], ['z'])), /"ai\.onnx:Explode", which ONNX Runtime doesn't have/],
    ['an unknown domain', withNode(node('Add', ['x', 'x'], ['z'], [], 'com.evil')), /"com\.evil:Add"/],
    ['compiled code for an accelerator', withNode(node('EPContext', ['x'], ['z'], [], 'com.microsoft')), /EPContext/],
    ['an unknown operator in a function', withFunctions(own('f0', [node('Explode', ['x'], ['y'])])), /Explode/],
    [
      'an unknown operator in a function that nobody calls',
      modelProto({ nodes: [identity], inputs: [x], outputs: [y] }, { functions: [own('f0', [node('Explode', ['x'], ['y'])])], domain: 'own' }),
      /Explode/
    ],
    ['an operator set from the future', model(graphWith([]), { opsets: [['', 27]] }), /operator set 27 of ai\.onnx.*opset_version=26/],
    [
      'a function with an operator set from the future',
      withFunctions(message([1, 'f0'], [10, 'own'], [7, identity], [9, message([2, 99])])),
      /operator set 99/
    ],
    ['a file version from the future', model(graphWith([]), { ir: 14 }), /IR version 14/],
    ['nodes that wait for each other', withNode(node('Add', ['x', 'b'], ['a']), node('Add', ['a', 'x'], ['b'])), /wait for each other/],
    ['a node that waits for itself', withNode(node('Add', ['x', 'a'], ['a'])), /wait for each other/],
    ['two graphs, which readers would merge', message([1, 10], [7, graphWith([])], [7, graphWith([])], [8, message([2, 21])]), /twice/],
    ['no tensor as output', sequenceModel(), /no tensor as output/],
    [
      'an input that is a sequence',
      model(message([1, identity], [11, message([1, 'x'], [2, message([4, message([1, message([1, message([1, 1])])])])])], [12, y])),
      /isn't a tensor/
    ],
    ['an input of a type that Node lacks', model(message([1, identity], [11, message([1, 'x'], [2, message([1, message([1, 14])])])], [12, y])), /complex64/],
    ['an input without a name', model(message([1, identity], [11, message([2, message([1, message([1, 1])])])], [12, y])), /without a name/],
    ['two inputs of one name', model(message([1, identity], [11, x], [11, x], [12, y])), /of one name/],
    ['a name without end', withNode(node('Add', ['x'.repeat(5000), 'x'], ['z'])), /name of 5000 bytes/],
    ['more nodes than any model has', manyNodes(MODEL_LIMITS.nodes), /more than 65536 nodes/]
  ])('%s', async (_name, bytes, text) => {
    await expect(lint(bytes)).rejects.toMatchObject({ name: 'MotorpoolError', code: 'ERR_BAD_MODEL', message: expect.stringMatching(text) })
  })

  it('what one aborts while it reads', async () => {
    const abort = new AbortController()
    const linting = lintOnnx(bytesSource(manyNodes(20_000)), { signal: abort.signal })
    abort.abort()
    await expect(linting).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  })
})

it('leaves the event loop free while it reads a model made to take long', async () => {
  const bytes = manyNodes(60_000)
  let longest = 0
  let last = performance.now()
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  }, 1)
  const started = performance.now()
  await lint(bytes)
  clearInterval(timer)
  // A small part of the whole, so that the bound holds on a slow machine too.
  expect(longest).toBeLessThan(Math.max(100, (performance.now() - started) / 2))
})
