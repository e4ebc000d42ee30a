import { open } from 'node:fs/promises'
import type { TaskInputs } from '../client/client.ts'
import type { ModelTask } from '../models/model.ts'
import { readInferenceRequest } from '../models/open-inference.ts'
import { MotorpoolError } from '../protocol/errors.ts'
import { LIMITS } from '../protocol/limits.ts'

/** A task as a file or standard input gave it. */
export interface TaskInput {
  readonly inputs: TaskInputs
  /** The request's own id, given back in the response. */
  readonly id?: string
  /** Outputs that are wanted; all when absent. */
  readonly outputs?: readonly string[]
}

/** JSON takes up to ten characters where a tensor has four bytes, and V8 makes no string above 512 MiB. */
const LONGEST_JSON = 256 * 1024 * 1024

/** Reads a file, or standard input when `path` is `-`, up to what a task may hold; `ERR_INPUT_TOO_LARGE` beyond. */
export async function readInputFile(path: string, task: ModelTask | undefined): Promise<Uint8Array> {
  const limit = task === 'ocr' ? LIMITS.transferPayload : LONGEST_JSON
  const file = path === '-' ? undefined : await open(path)
  const chunks: Uint8Array[] = []
  let length = 0
  const stream: AsyncIterable<Uint8Array> = file === undefined ? process.stdin : file.createReadStream()
  for await (const chunk of stream) {
    length += chunk.length
    if (length > limit)
      throw new MotorpoolError('ERR_INPUT_TOO_LARGE', `${path === '-' ? 'standard input' : path} is larger than ${limit} bytes; send less in one task`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** What a model of this task gets of the bytes; without a task (a model that isn't in the store) their look decides. */
export function taskInput(bytes: Uint8Array, task: ModelTask | undefined, name: string): TaskInput {
  if ((task ?? (looksLikeJson(bytes) ? 'tensors' : 'ocr')) === 'ocr') return { inputs: { image: checkedImage(bytes, name) } }
  if (bytes.length === 0) throw new MotorpoolError('ERR_INVALID_INPUT', `${name} is empty; give {"inputs":[{"name","shape","datatype","data"}]}`)
  const request = readInferenceRequest(utf8(bytes, name))
  return { inputs: request.tensors, id: request.id, outputs: request.outputs }
}

/** Refuses what is no PNG, JPEG or WebP before a car is asked. */
function checkedImage(bytes: Uint8Array, name: string): Uint8Array {
  if (bytes.length === 0) throw new MotorpoolError('ERR_BAD_IMAGE', `${name} is empty; give a PNG, JPEG or WebP file`)
  const head = Buffer.from(bytes.subarray(0, 12)).toString('latin1')
  const known = head.startsWith('\x89PNG\r\n\x1a\n') || head.startsWith('\xff\xd8\xff') || (head.startsWith('RIFF') && head.endsWith('WEBP'))
  if (!known) throw new MotorpoolError('ERR_BAD_IMAGE', `${name} is not an image; give a PNG, JPEG or WebP file`)
  return bytes
}

function looksLikeJson(bytes: Uint8Array): boolean {
  return /^\s*\{/.test(Buffer.from(bytes.subarray(0, 64)).toString('latin1'))
}

function utf8(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new MotorpoolError('ERR_INVALID_INPUT', `${name} is not UTF-8; give JSON in UTF-8`, { cause })
  }
}
