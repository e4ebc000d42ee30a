import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { MotorpoolError } from '../../protocol/errors.ts'
import type { Tensor } from '../../protocol/tensor.ts'
import type { ModelSignature, RunnableModel } from '../runner.ts'
import { runError } from './ort-errors.ts'
import { fromOrtTensor, isCarried, toOrtTensor } from './ort-tensor.ts'
import { openSession } from './session.ts'
import type { LoadedTask } from './task.ts'

type Metadata = InferenceSession['inputMetadata'][number]

/** Any ONNX model: what goes in and comes out are the tensors of its graph. */
export async function loadTensorsTask(model: RunnableModel, threads: number): Promise<LoadedTask> {
  const session = await openSession(model, graphFile(model), threads)
  const unusable = session.inputMetadata.find(input => !input.isTensor || !isCarried(input.type))
  if (unusable !== undefined)
    throw new MotorpoolError(
      'ERR_BAD_MODEL',
      `input ${unusable.name} is ${typeName(unusable)}, which onnxruntime-node cannot take; export the model with another type`
    )
  const signature = { inputs: describe(session.inputMetadata), outputs: describe(session.outputMetadata) }
  return { kind: 'tensors', signature, run: createRun(session, signature) }
}

/** Runs inputs that fit; what is wanted is checked once for each list of names. */
function createRun(session: InferenceSession, signature: ModelSignature): LoadedTask['run'] {
  const inputNames = signature.inputs.map(({ name }) => name)
  let checked: readonly string[] | undefined
  return async (input, wanted = session.outputNames) => {
    if (wanted !== checked) checkCarried(session, wanted)
    checked = wanted
    const feeds = Object.fromEntries(inputNames.map((name): [string, OrtTensor] => [name, toOrtTensor(input.tensors[name] as Tensor)]))
    const outputs = await session.run(feeds, wanted).catch((error: unknown) => {
      throw runError(error)
    })
    const lost = wanted.find(name => !Object.hasOwn(outputs, name))
    if (lost !== undefined) throw new MotorpoolError('ERR_RUN_FAILED', `output ${lost} got lost in onnxruntime-node; give it another name in the model`)
    return Object.fromEntries(Object.entries(outputs).map(([name, output]) => [name, fromOrtTensor(name, output)]))
  }
}

function checkCarried(session: InferenceSession, wanted: readonly string[]): void {
  const opaque = session.outputMetadata.find(output => wanted.includes(output.name) && (!output.isTensor || !isCarried(output.type)))
  if (opaque !== undefined)
    throw new MotorpoolError(
      'ERR_RUN_FAILED',
      `output ${opaque.name} is ${typeName(opaque)}, only tensors of common types can be returned; export the model with tensor outputs`
    )
}

function graphFile(model: RunnableModel): string {
  const graphs = model.files.filter(path => path.endsWith('.onnx'))
  const graph = graphs.length === 1 ? graphs[0] : (graphs.find(path => path === 'model.onnx') ?? graphs.find(path => path === 'onnx/model.onnx'))
  if (graph === undefined)
    throw new MotorpoolError(
      'ERR_BAD_MODEL',
      `a tensors model needs one .onnx file or a model.onnx, it has ${graphs.length} (${graphs.join(', ')}); add one file`
    )
  return graph
}

function describe(metadata: readonly Metadata[]): ModelSignature['inputs'] {
  return metadata.flatMap(one => (one.isTensor ? [{ name: one.name, type: one.type, dims: one.shape.map(dim => (dim === '' ? null : dim)) }] : []))
}

function typeName(metadata: Metadata): string {
  return metadata.isTensor ? metadata.type : 'not a tensor'
}
