import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { InferenceSession } from 'onnxruntime-node'
import { shapeOutputs } from '../../src/inference/reduce/shape-outputs.ts'
import { startRunner } from '../../src/inference/start-runner.ts'
import { fromOrtTensor, toOrtTensor } from '../../src/inference/worker/ort-tensor.ts'
import { sessionOptions } from '../../src/inference/worker/session.ts'
import type { Tensor, Value } from '../../src/protocol/tensor.ts'
import { readOutputPlan } from '../../src/protocol/values/output-plan.ts'
import { inputTensors, parametersOf, type Workload } from '../workloads.ts'

/** Tensor bytes in, one after the other; the outputs' bytes out, likewise. What a Node user writes around onnxruntime-node. */
export type Handler = (input: Uint8Array) => Promise<Uint8Array>

/** A model that is ready. */
export interface OpenModel {
  readonly handle: Handler
  /** The process that runs the model, where it isn't this one. */
  readonly workerPid?: number
}

const LIMIT_MS = 60_000

type Run = (tensors: Value['tensors']) => Promise<Value['tensors']>

/** Models run with the options of the mesh's own workers, on one thread, and reduce their outputs where the mesh does. */
export async function openHandler(workload: Workload): Promise<OpenModel> {
  const { run, ...opened } = workload.task === 'ocr' ? await openPipeline(workload) : { run: await openModel(workload) }
  let end = 0
  const layout = Object.entries(inputTensors(workload)).map(([name, { type, dims, data }]) => {
    const from = end
    end += data.byteLength
    return { name, type, dims, from, to: end }
  })
  const handle: Handler = async input => {
    const tensors = Object.fromEntries(layout.map(({ name, type, dims, from, to }): [string, Tensor] => [name, { type, dims, data: input.subarray(from, to) }]))
    const outputs = Object.values(await run(tensors))
    return outputs.length === 1 ? outputs[0]!.data : Buffer.concat(outputs.map(({ data }) => data))
  }
  return { handle, ...opened }
}

async function openModel(workload: Workload): Promise<Run> {
  const session = await InferenceSession.create(await readFile(workload.modelPath), sessionOptions(1))
  const wanted = workload.output === undefined ? session.outputNames : [workload.output]
  const plan = workload.reduce === undefined ? undefined : readOutputPlan(parametersOf(workload))
  return async tensors => {
    const outputs = await session.run(Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toOrtTensor(tensor)])), wanted)
    const plain = Object.fromEntries(wanted.map(name => [name, fromOrtTensor(name, outputs[name]!)]))
    return plan === undefined ? plain : shapeOutputs(plain, plan, tensors)
  }
}

/** The mesh's own worker process: what is compared is the way there. */
async function openPipeline({ modelPath }: Workload): Promise<{ readonly run: Run; readonly workerPid?: number }> {
  const files = readdirSync(modelPath).filter(file => /(det|rec).*\.onnx$|\.txt$/.test(file))
  const runner = await startRunner({ cid: 'bench', task: 'ocr', folder: modelPath, files })
  const run: Run = async tensors => (await runner.run({ input: { kind: 'ocr', parameters: {}, tensors }, limitMs: LIMIT_MS })).output.tensors
  const [workerPid] = runner.pids
  return workerPid === undefined ? { run } : { run, workerPid }
}
