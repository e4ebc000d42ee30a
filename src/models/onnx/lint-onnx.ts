import { closeSync, fstatSync, openSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { MotorpoolError, throwIfAborted } from '../../protocol/errors.ts'
import { LIMITS } from '../../protocol/limits.ts'
import type { TensorSpecification } from '../model.ts'
import { type ByteSource, fileSource } from './byte-source.ts'
import { checkCalls } from './check-calls.ts'
import { ELEMENT_TYPES } from './element-types.ts'
import { FORMAT_BYTES, foreignFormat } from './foreign-formats.ts'
import { badModel, LintState, MODEL_LIMITS } from './lint-state.ts'
import { type ModelFacts, type Opset, walkModel } from './walk-model.ts'
import type { ValueFacts } from './walk-value.ts'

/** The newest operator sets that ONNX Runtime 1.30 knows, by domain; other domains have no numbers to check. */
export const NEWEST_OPSETS: Readonly<Record<string, number>> = { '': 26, 'ai.onnx.ml': 5, 'com.microsoft': 1 }
/** The newest file version that ONNX Runtime 1.30 reads. */
export const NEWEST_IR = 13

/** What an ONNX file declares of itself. */
export interface OnnxSummary {
  readonly inputs: readonly TensorSpecification[]
  readonly outputs: readonly TensorSpecification[]
  readonly opsets: readonly Opset[]
  readonly nodes: number
}

/**
 * Refuses what must not reach ONNX Runtime: files that aren't ONNX (`ERR_NOT_ONNX`), and models with external data, unknown
 * operators, versions that are too new, nesting, function chains or constant shapes that crash a process, or inputs that
 * aren't tensors (`ERR_BAD_MODEL`). Takes linear time, leaves the event loop free, and never holds the file in memory.
 * What only shows while running (endless loops, sizes that come from inputs) is left to the worker's limits.
 */
export async function lintOnnx(source: ByteSource, options: { readonly signal?: AbortSignal } = {}): Promise<OnnxSummary> {
  if (source.byteLength === 0) throw new MotorpoolError('ERR_NOT_ONNX', 'the file is empty; copy or export it again')
  if (source.byteLength > MODEL_LIMITS.fileBytes)
    throw new MotorpoolError('ERR_NOT_ONNX', 'the file is larger than 2 GiB, which ONNX cannot be; quantize the model')
  const format = foreignFormat(source.read(0, FORMAT_BYTES))
  if (format !== undefined) throw new MotorpoolError('ERR_NOT_ONNX', `the file is ${format.name}, not ONNX; ${format.remedy}`)
  const state = new LintState(source)
  const walk = walkModel(state)
  for (;;) {
    const step = walk.next()
    if (step.done === true) return summarize(step.value, state.nodes)
    await setImmediate()
    throwIfAborted(options.signal)
  }
}

/** Lints a file on disk; errors name it by `label`. */
export async function lintOnnxFile(path: string, label: string, options: { readonly signal?: AbortSignal } = {}): Promise<OnnxSummary> {
  const descriptor = openSync(path, 'r')
  try {
    return await lintOnnx(fileSource(descriptor, fstatSync(descriptor).size), options)
  } catch (error) {
    if (!(error instanceof MotorpoolError) || error.code === 'ERR_ABORTED') throw error
    throw new MotorpoolError(error.code, `${label}: ${error.message}`, { cause: error })
  } finally {
    closeSync(descriptor)
  }
}

function summarize(model: ModelFacts, nodes: number): OnnxSummary {
  if (model.irVersion < 1 || model.irVersion > NEWEST_IR) {
    throw badModel(`has IR version ${model.irVersion}, known are 1 to ${NEWEST_IR}`, 'export it with an older version of onnx')
  }
  for (const { domain, version } of model.opsets) {
    const newest = NEWEST_OPSETS[domain]
    if (newest !== undefined && (version < 1 || version > newest)) {
      throw badModel(`needs operator set ${version} of ${domain || 'ai.onnx'}, known are 1 to ${newest}`, `export it with opset_version=${newest}`)
    }
  }
  checkCalls(model)
  const { graph } = model
  const inputs = graph.inputs.filter(input => !graph.initializers.has(input.name)).map(input => specification(input, 'input'))
  // An output that isn't a tensor (a classifier's map of labels) is computed in vain, but does no harm.
  const outputs = graph.outputs.filter(output => output.kind === 'tensor').map(output => specification(output, 'output'))
  if (outputs.length === 0) throw badModel('has no tensor as output', 'export it with one')
  for (const values of [inputs, outputs]) {
    if (values.length > LIMITS.tensors) throw badModel(`has ${values.length} inputs or outputs, at most ${LIMITS.tensors} are allowed`, 'join them')
    if (new Set(values.map(value => value.name)).size < values.length) throw badModel('has two inputs or outputs of one name', 'export it again')
  }
  return { inputs, outputs, opsets: model.opsets, nodes }
}

function specification(value: ValueFacts, what: string): TensorSpecification {
  const label = `${what} ${JSON.stringify(value.name.slice(0, 80))}`
  if (value.name === '' || Buffer.byteLength(value.name) > LIMITS.name)
    throw badModel(`has an ${what} without a name, or with one above ${LIMITS.name} bytes`, 'rename it')
  if (value.kind !== 'tensor') throw badModel(`takes ${label}, which isn't a tensor`, 'export it with tensors only')
  const type = ELEMENT_TYPES.get(value.elementType)?.type
  if (type === undefined) {
    throw badModel(
      `has ${label} of type ${ELEMENT_TYPES.get(value.elementType)?.name ?? value.elementType}, which onnxruntime-node can't carry`,
      'cast it to another type in the graph'
    )
  }
  return { name: value.name, type, dims: value.dims === undefined ? null : [...value.dims] }
}
