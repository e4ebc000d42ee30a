import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { ModelTask } from '../../models/model.ts'
import { parseExactJson, readInferenceRequest } from '../../models/open-inference.ts'
import { isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'
import { readInputFile, type TaskInput, taskInput } from '../task-input.ts'

/** One task of a batch, read when a car has room for it; `read` throws a typed error when its input is bad. */
export interface BatchTask {
  readonly key: string
  readonly read: () => Promise<TaskInput>
}

export interface BatchSource {
  readonly keys: readonly string[]
  readonly tasks: () => AsyncIterable<BatchTask>
}

const FILES = { ocr: /\.(png|jpe?g|webp)$/i, tensors: /\.json$/i } as const

/**
 * A batch's tasks: the images (or, for `tensors`, the .json requests) of a folder by name, or the lines of a JSONL file,
 * each `{"key"?, "file"}` or `{"key"?, "inputs": […]}`. Throws `ERR_INVALID_INPUT` for a folder without any, a line that isn't
 * JSON or a key that comes twice.
 */
export async function openBatchSource(path: string, task: ModelTask): Promise<BatchSource> {
  return (await stat(path)).isDirectory() ? folderSource(path, task) : linesSource(path, task)
}

async function folderSource(folder: string, task: ModelTask): Promise<BatchSource> {
  const keys = (await readdir(folder)).filter(name => FILES[task].test(name)).sort()
  if (keys.length === 0)
    throw new MotorpoolError(
      'ERR_INVALID_INPUT',
      `${folder} holds no ${task === 'ocr' ? 'PNG, JPEG or WebP images' : '.json requests'}; name a folder that does, or a JSONL file`
    )
  return {
    keys,
    tasks: async function* () {
      for (const key of keys) yield { key, read: () => readFileInput(join(folder, key), task) }
    }
  }
}

async function linesSource(path: string, task: ModelTask): Promise<BatchSource> {
  const keys = new Set<string>()
  for await (const { key, number } of lines(path)) {
    if (keys.has(key)) throw new MotorpoolError('ERR_INVALID_INPUT', `line ${number} of ${path} has the key ${key} again; give each task its own`)
    keys.add(key)
  }
  if (keys.size === 0) throw new MotorpoolError('ERR_INVALID_INPUT', `${path} is empty; give one JSON object a line`)
  return {
    keys: [...keys],
    tasks: async function* () {
      for await (const { key, text, file } of lines(path)) {
        yield { key, read: () => (file === undefined ? readLineInput(text, task) : readFileInput(resolve(dirname(path), file), task)) }
      }
    }
  }
}

async function* lines(path: string): AsyncGenerator<{ key: string; number: number; text: string; file: string | undefined }> {
  let number = 0
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1
    if (text.trim() === '') continue
    const line = lineObject(text, path, number)
    yield { key: typeof line.key === 'string' ? line.key : String(number), number, text, file: typeof line.file === 'string' ? line.file : undefined }
  }
}

function lineObject(text: string, path: string, number: number): Readonly<Record<string, unknown>> {
  try {
    const value = parseExactJson(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch (error) {
    if (!isMotorpoolError(error)) throw error
  }
  throw new MotorpoolError('ERR_INVALID_INPUT', `line ${number} of ${path} is no JSON object; give {"key","file"} or {"key","inputs"}`)
}

async function readLineInput(text: string, task: ModelTask): Promise<TaskInput> {
  if (task === 'ocr') throw new MotorpoolError('ERR_INVALID_INPUT', 'the line names no file; give {"key","file"} with an image')
  const { id, tensors, outputs } = readInferenceRequest(text)
  return { inputs: tensors, id, outputs }
}

async function readFileInput(path: string, task: ModelTask): Promise<TaskInput> {
  return taskInput(await readInputFile(path, task), task, path)
}
