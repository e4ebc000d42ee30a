import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startRunner } from '../../src/inference/start-runner.ts'
import { valueDigest } from '../../src/protocol/digest.ts'
import type { Tensor, TensorType } from '../../src/protocol/tensor.ts'
import { addModel, identitiesModel, identityModel, matmulModel, reshapeModel, sequenceModel } from '../fixtures/models/make.ts'
import { sharedRunner, startTestRunner, tensor, value } from './test-runner.ts'

const LIMIT_MS = 30_000
const EXAMPLES: readonly [TensorType, ArrayBufferView | readonly string[]][] = [
  ['bool', Uint8Array.of(1, 0, 1)],
  ['uint8', Uint8Array.of(0, 128, 255)],
  ['int8', Int8Array.of(-128, 0, 127)],
  ['uint16', Uint16Array.of(0, 1, 65535)],
  ['int16', Int16Array.of(-32768, 0, 32767)],
  ['float16', Uint16Array.of(0x3c00, 0xfbff, 0x7e00)],
  ['uint32', Uint32Array.of(0, 1, 4294967295)],
  ['int32', Int32Array.of(-2147483648, 0, 2147483647)],
  ['float32', Float32Array.of(-1.5, Number.NaN, Number.POSITIVE_INFINITY)],
  ['uint64', BigUint64Array.of(0n, 2n ** 53n + 1n, 2n ** 64n - 1n)],
  ['int64', BigInt64Array.of(-(2n ** 63n), 0n, 2n ** 63n - 1n)],
  ['float64', Float64Array.of(-0, 1e-320, Number.NaN)],
  ['string', ['', 'Zürich', '🅿️ 駐車']]
]

describe('tensors of every type', () => {
  const types = EXAMPLES.map(([type]) => type)
  const { runner } = sharedRunner(identitiesModel(types))
  const empty = Object.fromEntries(types.map(type => [`x_${type}`, { type, dims: [0, 3], data: new Uint8Array(0) }]))

  test.each(EXAMPLES)('%s come back bit for bit, from unaligned bytes too', async (type, data) => {
    const x = tensor(type, [1, 3], data)
    const unaligned = Buffer.concat([Uint8Array.of(0), x.data]).subarray(1)
    for (const bytes of [x.data, new Uint8Array(unaligned), unaligned]) {
      const { output, digest } = await runner().run({ input: value({ ...empty, [`x_${type}`]: { ...x, data: bytes } }), limitMs: LIMIT_MS })
      const y = output.tensors[`y_${type}`] as Tensor
      expect({ type: y.type, dims: y.dims, data: Buffer.from(y.data) }).toEqual({ type, dims: [1, 3], data: Buffer.from(x.data) })
      expect(digest).toEqual(valueDigest(output))
    }
  })

  test('come back empty when they went empty', async () => {
    const { output } = await runner().run({ input: value(empty), limitMs: LIMIT_MS })
    expect(Object.keys(output.tensors)).toHaveLength(types.length)
    for (const type of types) expect(output.tensors[`y_${type}`]).toEqual({ type, dims: [0, 3], data: new Uint8Array(0) })
  })

  test('are refused when a bool is neither 0 nor 1, or a string is no UTF-8', async () => {
    for (const wrong of [tensor('bool', [1, 2], Uint8Array.of(1, 2)), tensor('string', [1, 1], Uint8Array.of(1, 0, 0, 0, 0xff))])
      await expect(runner().run({ input: value({ ...empty, [`x_${wrong.type}`]: wrong }), limitMs: LIMIT_MS })).rejects.toMatchObject({
        code: 'ERR_INVALID_INPUT'
      })
  })
})

test('megabytes of tensors come back as they went', async () => {
  const runner = await startTestRunner(identityModel('float32'))
  const data = Float32Array.from({ length: 3_000_000 }, (_, at) => at / 7)
  const { output } = await runner.run({ input: value({ x: tensor('float32', [3, 1_000_000], data) }), limitMs: LIMIT_MS })
  expect(Buffer.compare(Buffer.from(output.tensors['y']?.data ?? []), Buffer.from(data.buffer))).toBe(0)
})

test('a runner tells its numerics class and what the model takes and gives', async () => {
  const runner = await startTestRunner(identityModel('int64', ['batch', '', 7]), { threads: 2 })
  expect(runner.numerics).toMatchObject({ ep: 'cpu', ort: '1.30.0', arch: process.arch, opt: 'all', device: 'cpu', threads: 2 })
  expect(runner.signature).toEqual({
    inputs: [{ name: 'x', type: 'int64', dims: ['batch', null, 7] }],
    outputs: [{ name: 'y', type: 'int64', dims: ['batch', null, 7] }]
  })
})

test('an input with a default inside the model may be left out', async () => {
  const runner = await startTestRunner(addModel({ bDefault: [10, 20] }))
  const { output } = await runner.run({ input: value({ a: tensor('float32', [2], Float32Array.of(1, 2)) }), limitMs: LIMIT_MS })
  expect(output.tensors['sum']?.data).toEqual(tensor('float32', [2], Float32Array.of(11, 22)).data)
})

test('one and two threads give the same bits', async () => {
  const size = 64
  const left = tensor(
    'float32',
    [size, size],
    Float32Array.from({ length: size * size }, (_, at) => Math.sin(at))
  )
  const digests = []
  for (const threads of [1, 2]) {
    const runner = await startTestRunner(matmulModel(size), { threads })
    digests.push((await runner.run({ input: value({ left, right: left }), limitMs: LIMIT_MS })).digest)
  }
  expect(digests[0]).toEqual(digests[1])
})

describe('refuses', () => {
  const { runner } = sharedRunner(addModel())
  const a = tensor('float32', [2], Float32Array.of(1, 2))

  test.each<[string, Record<string, Tensor>, string]>([
    ['a missing input', { a }, 'input b is missing; the model takes a: float32 [2], b: float32 [2]'],
    ['an input too many', { a, b: a, c: a }, 'input c is unknown'],
    ['another type', { a, b: tensor('float64', [2], Float64Array.of(1, 2)) }, 'input b is float64 [2]; send b: float32 [2]'],
    ['another rank', { a, b: { ...a, dims: [1, 2] } }, 'input b is float32 [1, 2]; send b: float32 [2]'],
    ['another fixed dimension', { a, b: tensor('float32', [3], Float32Array.of(1, 2, 3)) }, 'input b is float32 [3]; send b: float32 [2]'],
    ['data that is a byte short', { a, b: { ...a, data: a.data.subarray(1) } }, 'tensor b holds 7 bytes where float32 [2] needs 8'],
    ['a negative dimension', { a, b: { ...a, dims: [-1] } }, 'dimension -1'],
    ['a dimension that overflows', { a, b: { ...a, dims: [2 ** 31, 2 ** 31] } }, 'overflows'],
    ['a name that is no input', { a, ['__proto__']: a }, 'input b is missing']
  ])('%s, and runs the next task', async (_, tensors, message) => {
    await expect(runner().run({ input: value(tensors), limitMs: LIMIT_MS })).rejects.toMatchObject({
      code: 'ERR_INVALID_INPUT',
      message: expect.stringContaining(message)
    })
    await expect(runner().run({ input: value({ a, b: a }), limitMs: LIMIT_MS })).resolves.toMatchObject({ together: 1 })
  })

  test('another kind of input', async () => {
    await expect(runner().run({ input: { ...value({ a, b: a }), kind: 'ocr' }, limitMs: LIMIT_MS })).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
  })

  test('more tensors than a task may have, and more bytes', async () => {
    const many = Object.fromEntries(Array.from({ length: 257 }, (__, at) => [`t${at}`, a]))
    await expect(runner().run({ input: value(many), limitMs: LIMIT_MS })).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
    const large = { type: 'uint8', dims: [65 * 2 ** 20], data: new Uint8Array(65 * 2 ** 20) } as const
    await expect(runner().run({ input: value({ a, b: large }), limitMs: LIMIT_MS })).rejects.toMatchObject({ code: 'ERR_TOO_LARGE' })
  })
})

test('an input of open rank takes any shape', async () => {
  const runner = await startTestRunner(identityModel('int32', null))
  for (const dims of [[], [2], [1, 2, 3]]) {
    const x = tensor('int32', dims, new Int32Array(dims.reduce((product, dim) => product * dim, 1)))
    await expect(runner.run({ input: value({ x }), limitMs: LIMIT_MS })).resolves.toMatchObject({ output: { tensors: { y: { dims } } } })
  }
})

test('what ONNX Runtime refuses while it runs is ERR_RUN_FAILED, on one line', async () => {
  const runner = await startTestRunner(reshapeModel())
  const input = value({ x: tensor('float32', [4], Float32Array.of(1, 2, 3, 4)), shape: tensor('int64', [1], BigInt64Array.of(3n)) })
  await expect(runner.run({ input, limitMs: LIMIT_MS })).rejects.toMatchObject({
    code: 'ERR_RUN_FAILED',
    message: expect.stringMatching(/^[^\n]*Reshape[^\n]*$/)
  })
})

test('an output that is no tensor is ERR_RUN_FAILED by name', async () => {
  const runner = await startTestRunner(sequenceModel())
  await expect(runner.run({ input: value({ x: tensor('float32', [2], Float32Array.of(1, 2)) }), limitMs: LIMIT_MS })).rejects.toMatchObject({
    code: 'ERR_RUN_FAILED',
    message: expect.stringContaining('output pair is not a tensor')
  })
})

test.each([
  ['an empty file', new Uint8Array(0)],
  ['a file of another format', new TextEncoder().encode('%PDF-1.7 and more of that sort')],
  ['a truncated model', matmulModel(8).subarray(0, 60)],
  ['an input type that onnxruntime-node does not carry', identityModel('int4')]
])('%s does not load: ERR_BAD_MODEL', async (_, onnx) => {
  await expect(startTestRunner(onnx)).rejects.toMatchObject({ code: 'ERR_BAD_MODEL' })
})

test('a model file outside of its folder is refused', async () => {
  const model = { cid: 'x', task: 'tensors', folder: join(tmpdir(), 'nowhere'), files: ['../../etc/model.onnx'] } as const
  await expect(startRunner(model)).rejects.toMatchObject({ code: 'ERR_BAD_MODEL', message: expect.stringContaining('outside') })
})
