import { readFile } from 'node:fs/promises'
import { MotorpoolError } from '../../protocol/errors.ts'
import type { ModelManifest, ModelTask } from '../model.ts'
import { lintOnnxFile } from '../onnx/lint-onnx.ts'
import { type CollectedFile, OCR_FILES } from './collect-files.ts'

type Contents = Pick<ModelManifest, 'inputs' | 'outputs'>

/** A dictionary has a line per character; the largest known ones have some 20,000. */
const DICTIONARY_BYTES = 4 * 1024 * 1024

/** What an `ocr` model takes and gives, whatever its graphs do within. */
const OCR_CONTENTS: Contents = {
  inputs: [{ name: 'image', type: 'uint8', dims: ['bytes'] }],
  outputs: [
    { name: 'text', type: 'uint8', dims: ['bytes'] },
    { name: 'lines', type: 'string', dims: ['lines'] },
    { name: 'boxes', type: 'float32', dims: ['lines', 4, 2] },
    { name: 'scores', type: 'float32', dims: ['lines'] }
  ]
}

/** Lints every graph of a model, checks that its task's files are there, and returns what it takes and gives. */
export async function checkContents(task: ModelTask, files: readonly CollectedFile[], options: { readonly signal?: AbortSignal } = {}): Promise<Contents> {
  const graphs = files.filter(file => file.path.endsWith('.onnx'))
  const summaries = []
  for (const graph of graphs) summaries.push(await lintOnnxFile(graph.source, graph.path, options))
  if (task === 'ocr') {
    for (const path of Object.values(OCR_FILES)) {
      if (!files.some(file => file.path === path))
        throw new MotorpoolError('ERR_BAD_MODEL', `an ocr model lacks its file ${path}; add it from a folder that has all three`)
    }
    await checkDictionary(files)
    return OCR_CONTENTS
  }
  const [summary] = summaries
  if (summary === undefined || summaries.length > 1)
    throw new MotorpoolError('ERR_BAD_MODEL', `a model for tensors has ${summaries.length} .onnx files; it needs exactly one`)
  return { inputs: [...summary.inputs], outputs: [...summary.outputs] }
}

async function checkDictionary(files: readonly CollectedFile[]): Promise<void> {
  const source = files.find(file => file.path === OCR_FILES.dictionary)?.source ?? ''
  const bytes = await readFile(source)
  try {
    if (bytes.byteLength > DICTIONARY_BYTES || new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim() === '') throw new Error('empty or too large')
  } catch (cause) {
    throw new MotorpoolError(
      'ERR_BAD_MODEL',
      `${OCR_FILES.dictionary}: not a dictionary in UTF-8 with a character a line, at most ${DICTIONARY_BYTES} bytes; give the one of the recognition model`,
      { cause }
    )
  }
}
