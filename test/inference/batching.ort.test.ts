import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Runner, RunResult } from '../../src/inference/runner.ts'
import type { ParameterValue, Value } from '../../src/protocol/tensor.ts'
import { companyModel, identityModel, lookupModel } from '../fixtures/models/make.ts'
import { startTestRunner, tensor, value } from './test-runner.ts'

const LIMIT_MS = 60_000
const floats = (...numbers: readonly number[]): Value => value({ x: tensor('float32', [1, numbers.length], Float32Array.from(numbers)) })
const lookup = (index: number): Value => value({ x: tensor('int64', [1], BigInt64Array.of(BigInt(index))) })
const run = (runner: Runner, input: Value): Promise<RunResult> => runner.run({ input, limitMs: LIMIT_MS })
const bytesOf = (result: RunResult): string[] => Object.values(result.output.tensors).map(({ data }) => Buffer.from(data).toString('hex'))

/** Runs rows at once until some of them shared a run, or `rounds` times. */
async function crowd(runner: Runner, inputs: readonly Value[], rounds = 20): Promise<readonly RunResult[]> {
  const all: RunResult[] = []
  for (let round = 0; round < rounds && !all.some(({ together }) => together > 1); round++)
    all.push(...(await Promise.all(inputs.map(input => run(runner, input)))))
  return all
}

describe('a model with independent rows', () => {
  test('gives in company what it gives alone, and says how many ran together', async () => {
    const runner = await startTestRunner(identityModel('float32'), {}, 'rows')
    const inputs = Array.from({ length: 40 }, (_, at) => floats(at, -at, Number.NaN))
    const results = await crowd(runner, inputs)
    expect(Math.max(...results.map(({ together }) => together))).toBeGreaterThan(1)
    results.forEach((result, at) => {
      expect(Buffer.compare(result.output.tensors['y']?.data ?? new Uint8Array(0), inputs[at % 40]?.tensors['x']?.data ?? new Uint8Array(1))).toBe(0)
      expect(result.output.tensors['y']?.dims).toEqual([1, 3])
    })
    expect((await run(runner, floats(1))).together).toBe(1)
  })

  test('lets only the row fail that is wrong', async () => {
    const runner = await startTestRunner(lookupModel(), {}, 'rows')
    await crowd(
      runner,
      Array.from({ length: 40 }, (_, at) => lookup(at % 4))
    )
    const settled = await Promise.allSettled(Array.from({ length: 30 }, (_, at) => run(runner, lookup(at === 17 ? 99 : at % 4))))
    settled.forEach((outcome, at) => {
      if (at === 17) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_RUN_FAILED' } })
      else
        expect(outcome).toMatchObject({
          status: 'fulfilled',
          value: { output: { tensors: { y: tensor('float32', [1], Float32Array.of(10 + 10 * (at % 4))) } } }
        })
    })
  })
})

test('a model that only claims independent rows is found out before a result is wrong', async () => {
  const runner = await startTestRunner(companyModel(), {}, 'rows')
  const results = await crowd(
    runner,
    Array.from({ length: 20 }, (_, at) => floats(at, at + 1)),
    5
  )
  for (const { output, together } of results) {
    expect(together).toBe(1)
    expect(output.tensors['y']?.data).toEqual(tensor('float32', [1, 2], Float32Array.of(-1, 0)).data)
  }
})

test('a model that does not claim them is never batched', async () => {
  const runner = await startTestRunner(identityModel('float32'))
  const results = await crowd(
    runner,
    Array.from({ length: 20 }, (_, at) => floats(at)),
    5
  )
  expect(results.every(({ together }) => together === 1)).toBe(true)
})

const folder = process.env.MOTORPOOL_TEST_MODELS ?? join(import.meta.dirname, '../../../shared/models')
const miniLm = join(folder, 'all-MiniLM-L6-v2/onnx/model_quantized.onnx')

describe('sentence embeddings (all-MiniLM-L6-v2)', () => {
  test('are equal bit for bit alone and in company, whole and pooled', async ({ skip }) => {
    if (!existsSync(miniLm)) {
      console.info(`skipped: ${miniLm} is not on this machine; name a folder with it in MOTORPOOL_TEST_MODELS`)
      skip('the model is not on this machine')
    }
    const runner = await startTestRunner(await readFile(miniLm), {}, 'rows')
    const plain = await startTestRunner(await readFile(miniLm))
    const tokens = 12
    const sentence = (seed: number, parameters: Record<string, ParameterValue>): Value => {
      const length = 4 + (seed % 8)
      const ids = BigInt64Array.from({ length: tokens }, (_, at) => BigInt(at < length ? 1000 + ((seed * 7919 + at * 104_729) % 20_000) : 0))
      const mask = BigInt64Array.from({ length: tokens }, (_, at) => (at < length ? 1n : 0n))
      const dims = [1, tokens]
      const tensors = {
        input_ids: tensor('int64', dims, ids),
        attention_mask: tensor('int64', dims, mask),
        token_type_ids: tensor('int64', dims, new BigInt64Array(tokens))
      }
      return {
        kind: 'tensors',
        parameters,
        tensors: Object.fromEntries(runner.signature.inputs.map(({ name }) => [name, tensors[name as keyof typeof tensors]]))
      }
    }
    const output = runner.signature.outputs[0]?.name ?? ''
    const asked: readonly Record<string, ParameterValue>[] = [{}, { outputs: output, [`reduce.${output}`]: 'mean-pool(attention_mask) l2-normalize' }]
    for (const parameters of asked) {
      const inputs = Array.from({ length: 8 }, (_, seed) => sentence(seed, parameters))
      const alone: RunResult[] = []
      for (const input of inputs) alone.push(await run(plain, input))
      const crowded = await crowd(runner, inputs)
      crowded.forEach((result, at) => {
        expect(bytesOf(result)).toEqual(bytesOf(alone[at % 8] as RunResult))
      })
      console.info(`${output}: up to ${Math.max(...crowded.map(({ together }) => together))} rows together`)
      const dims = alone[0]?.output.tensors[output]?.dims
      expect(dims).toEqual('outputs' in parameters ? [1, 384] : [1, tokens, 384])
    }
  })
})
