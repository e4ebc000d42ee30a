import { z } from 'zod'
import { MotorpoolError } from '../protocol/errors.ts'
import { LIMITS } from '../protocol/limits.ts'
import type { Tensor, TensorType } from '../protocol/tensor.ts'
import { decodeElements, encodeElements, type JsonElement } from './open-inference-data.ts'

/** The Open Inference Protocol's names for tensor types (v2, "Tensor Data Types"). */
const DATATYPES = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP16: 'float16',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'string'
} as const satisfies Record<string, TensorType>
type Datatype = keyof typeof DATATYPES

const parametersSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
const tensorSchema = z.object({
  name: z.string().min(1).max(LIMITS.name),
  shape: z.array(z.int().nonnegative()).max(LIMITS.tensorRank),
  datatype: z.enum(Object.keys(DATATYPES) as [Datatype, ...Datatype[]]),
  data: z.unknown(),
  parameters: parametersSchema.optional()
})
const tensorsSchema = z.array(tensorSchema).max(LIMITS.tensors)
const requestSchema = z.object({
  id: z.string().optional(),
  parameters: parametersSchema.optional(),
  inputs: tensorsSchema,
  outputs: z.array(z.object({ name: z.string(), parameters: parametersSchema.optional() })).optional()
})
const responseSchema = z.object({
  model_name: z.string().optional(),
  model_version: z.string().optional(),
  id: z.string().optional(),
  parameters: parametersSchema.optional(),
  outputs: tensorsSchema
})

/** An inference request, its tensors in canonical bytes. */
export interface InferenceRequest {
  readonly id: string | undefined
  readonly tensors: Readonly<Record<string, Tensor>>
  /** Names of the outputs that are wanted; all of them when absent. */
  readonly outputs: readonly string[] | undefined
}

/** An inference response as it is read back, for instance to check a receipt against it. */
export interface InferenceResponse {
  readonly parameters: Readonly<Record<string, string | number | boolean>>
  readonly tensors: Readonly<Record<string, Tensor>>
}

/** What a response tells besides its tensors. */
export interface ResponseDescription {
  readonly model: string
  readonly version: string
  readonly id: string
  readonly parameters?: Readonly<Record<string, string | number | boolean>>
  /** Only these outputs; `ERR_INVALID_INPUT` when the model has no such output. */
  readonly outputs?: readonly string[]
}

/**
 * Reads a JSON request of the Open Inference Protocol: `{id?, inputs: [{name, shape, datatype, data}], outputs?}`, data
 * nested as the shape says or flat in row-major order. INT64 and UINT64 keep all their bits. Throws `ERR_INVALID_INPUT`.
 */
export function readInferenceRequest(text: string): InferenceRequest {
  const request = checked(requestSchema, parseExactJson(text), 'request')
  return { id: request.id, tensors: namedTensors(request.inputs), outputs: request.outputs?.map(output => output.name) }
}

/** Reads a JSON response of the Open Inference Protocol. Throws `ERR_INVALID_INPUT`. */
export function readInferenceResponse(text: string): InferenceResponse {
  const response = checked(responseSchema, parseExactJson(text), 'response')
  return { parameters: response.parameters ?? {}, tensors: namedTensors(response.outputs) }
}

/** A response of the Open Inference Protocol, ready for `JSON.stringify`: flat data, INT64 and UINT64 exact, NaN and infinities as strings. */
export function inferenceResponse(outputs: Readonly<Record<string, Tensor>>, description: ResponseDescription): Record<string, unknown> {
  const names = description.outputs ?? Object.keys(outputs)
  return {
    model_name: description.model,
    model_version: description.version,
    id: description.id,
    ...(description.parameters === undefined ? {} : { parameters: description.parameters }),
    outputs: names.map(name => {
      const tensor = Object.hasOwn(outputs, name) ? outputs[name] : undefined
      if (tensor === undefined)
        throw new MotorpoolError('ERR_INVALID_INPUT', `the model has no output ${name}; ask for one of ${Object.keys(outputs).join(', ')}`)
      return { name, shape: tensor.dims, datatype: datatypeOf(name, tensor.type), data: decodeElements(tensor) }
    })
  }
}

/** Parses JSON so that integers beyond 2⁵³ stay exact: they come as BigInt. Throws `ERR_INVALID_INPUT`. */
export function parseExactJson(text: string): unknown {
  try {
    // A reviver costs several times the parse itself, and only a number this long can lose digits.
    return /\d{16}/.test(text) ? JSON.parse(text, exactInteger) : JSON.parse(text)
  } catch (cause) {
    throw new MotorpoolError(
      'ERR_INVALID_INPUT',
      `the input is not JSON (${cause instanceof Error ? cause.message : 'unreadable'}); give {"inputs":[{"name","shape","datatype","data"}]}`,
      { cause }
    )
  }
}

/** Uses the number's source text (ECMA-262, JSON.parse source text access). */
function exactInteger(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  return context?.source !== undefined && /^-?\d+$/.test(context.source) ? BigInt(context.source) : value
}

function checked<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new MotorpoolError(
    'ERR_INVALID_INPUT',
    `the ${what} is wrong at ${issue?.path.join('.') || 'its top'} (${issue?.message ?? 'unknown'}); give it as the Open Inference Protocol says`
  )
}

function namedTensors(list: z.infer<typeof tensorsSchema>): Record<string, Tensor> {
  const seen = new Set<string>()
  return Object.fromEntries(
    list.map(({ name, shape, datatype, data }): [string, Tensor] => {
      if (seen.has(name)) throw new MotorpoolError('ERR_INVALID_INPUT', `tensor ${name} is given twice; give each once`)
      seen.add(name)
      const type = DATATYPES[datatype]
      return [name, { type, dims: shape, data: encodeElements(name, type, shape, data as JsonElement) }]
    })
  )
}

function datatypeOf(name: string, type: TensorType): Datatype {
  for (const [datatype, known] of Object.entries(DATATYPES)) if (known === type) return datatype as Datatype
  throw new MotorpoolError(
    'ERR_INVALID_INPUT',
    `output ${name} is ${type}, for which the Open Inference Protocol has no name; read it through the library instead`
  )
}
