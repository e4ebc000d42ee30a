import { ERROR_CODES, type ErrorCode, MotorpoolError } from '../../protocol/errors.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { TENSOR_TYPES, tensorByteLength } from '../../protocol/tensor.ts'
import { createDescriptionReader, type WireDescription } from './description.ts'
import { DIGEST_BYTES, HEAD, MESSAGE_TYPES } from './frame-format.ts'
import { type FrameBody, openFrame, readValue } from './frame-reader.ts'
import type { WorkerReply } from './messages.ts'

/* A model may have got the better of its worker, so the peer believes nothing that comes from there unchecked. */

/** Reads replies out of frames. Throws when a frame holds none, or when a tensor's bytes do not fit its shape. */
export function createReplyReader(): (body: FrameBody) => WorkerReply {
  const describe = createDescriptionReader(checkDescription)
  return body => {
    const { head, description: text } = openFrame(body)
    const id = wholeNumber(head.getFloat64(HEAD.id, true))
    switch (MESSAGE_TYPES[head.getUint8(HEAD.type)]) {
      case 'done': {
        const together = head.getUint32(HEAD.together, true)
        if (together < 1) throw noReply('it ran with no task')
        return {
          type: 'done',
          id,
          value: readValue(body, text.byteLength, describe(text)),
          digest: body.slice(HEAD.digest, HEAD.digest + DIGEST_BYTES),
          waitedUs: wholeNumber(head.getFloat64(HEAD.waitedUs, true)),
          ranUs: wholeNumber(head.getFloat64(HEAD.ranUs, true)),
          together
        }
      }
      case 'failed':
        return { type: 'failed', id, ...readFailure(JSON.parse(Buffer.from(text).toString('utf8'))) }
      default:
        throw noReply('its type is unknown')
    }
  }
}

function readFailure(parsed: unknown): { readonly code: ErrorCode; readonly message: string } {
  if (!Array.isArray(parsed) || parsed.length !== 2) throw noReply('its failure is none')
  const [code, message]: unknown[] = parsed
  if (!ERROR_CODES.includes(code as ErrorCode) || typeof message !== 'string') throw noReply('its failure is none')
  return { code: code as ErrorCode, message }
}

function checkDescription(parsed: unknown): WireDescription {
  const { kind, parameters, tensors } = fieldsOf(parsed, 3)
  if (typeof kind !== 'string' || !Array.isArray(parameters) || !Array.isArray(tensors)) throw noReply('its value has no kind, parameters or tensors')
  for (const parameter of parameters) checkParameter(parameter)
  if (tensors.length > LIMITS.tensors) throw noReply(`it has ${tensors.length} tensors, at most ${LIMITS.tensors} are allowed`)
  for (const tensor of tensors) checkDescribed(tensor)
  return { kind, parameters, tensors }
}

function checkParameter(parameter: unknown): void {
  if (!Array.isArray(parameter) || parameter.length !== 2 || typeof parameter[0] !== 'string') throw noReply('a parameter has no name')
  const value: unknown = parameter[1]
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value)) return
  if (typeof fieldsOf(value, 1)['hex'] !== 'string') throw noReply(`parameter ${parameter[0]} is of no known type`)
}

function checkDescribed(tensor: unknown): void {
  const { name, type, dims, size } = fieldsOf(tensor, 4)
  if (typeof name !== 'string' || !isTensorType(type) || !Array.isArray(dims)) throw noReply('a tensor has no name, type or shape')
  for (const dim of dims) wholeNumber(dim)
  const bytes = wholeNumber(size)
  if ((tensorByteLength(type, dims) ?? bytes) !== bytes) throw new MotorpoolError('ERR_BAD_FRAME', `output ${name} does not fit its shape; restart the worker`)
}

function isTensorType(type: unknown): type is keyof typeof TENSOR_TYPES {
  return typeof type === 'string' && Object.hasOwn(TENSOR_TYPES, type)
}

/** The fields of what must be an object with so many. */
function fieldsOf(parsed: unknown, count: number): Readonly<Record<string, unknown>> {
  if (typeof parsed !== 'object' || parsed === null || Object.keys(parsed).length !== count) throw noReply('a part of it is no object of its fields')
  return parsed as Record<string, unknown>
}

function wholeNumber(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw noReply(`${String(value)} is no whole number`)
  return value
}

function noReply(why: string): MotorpoolError {
  return new MotorpoolError('ERR_BAD_FRAME', `a worker's frame is no reply: ${why}; restart the worker`)
}
