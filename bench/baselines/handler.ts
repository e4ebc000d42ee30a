import { readFile } from 'node:fs/promises'
import { InferenceSession } from 'onnxruntime-node'
import { fromOrtTensor, toOrtTensor } from '../../src/inference/worker/ort-tensor.ts'
import { sessionOptions } from '../../src/inference/worker/session.ts'
import { inputTensors, type Workload } from '../workloads.ts'

/** Tensor bytes in, one after the other; the output's bytes out. What a Node user writes around onnxruntime-node. */
export type Handler = (input: Uint8Array) => Promise<Uint8Array>

/** The session has the options of the mesh's own workers, on one thread. */
export async function openHandler(workload: Workload): Promise<Handler> {
  const session = await InferenceSession.create(await readFile(workload.modelFile), sessionOptions(1))
  let end = 0
  const layout = Object.entries(inputTensors(workload)).map(([name, { type, dims, data }]) => {
    const from = end
    end += data.byteLength
    return { name, type, dims, from, to: end }
  })
  return async input => {
    const feeds = Object.fromEntries(layout.map(({ name, type, dims, from, to }) => [name, toOrtTensor({ type, dims, data: input.subarray(from, to) })]))
    const outputs = await session.run(feeds, [workload.output])
    return fromOrtTensor(workload.output, outputs[workload.output]!).data
  }
}
