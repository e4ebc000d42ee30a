import Ocr from '@gutenye/ocr-node'
import { MotorpoolError } from '../../protocol/errors.ts'
import { encodeStrings, type Tensor, type Value } from '../../protocol/tensor.ts'
import type { ModelSignature, RunnableModel } from '../runner.ts'
import { runError } from '../worker/ort-errors.ts'
import { modelFile, openSession } from '../worker/session.ts'
import type { LoadedTask } from '../worker/task.ts'
import { asciiForms } from './ascii-forms.ts'
import { decodeImage, type Image } from './image.ts'
import { useMemoryBackend } from './memory-backend.ts'

const SIGNATURE: ModelSignature = {
  inputs: [{ name: 'image', type: 'uint8', dims: ['bytes'] }],
  outputs: [
    { name: 'text', type: 'uint8', dims: ['bytes'] },
    { name: 'lines', type: 'string', dims: ['lines'] },
    { name: 'boxes', type: 'float32', dims: ['lines', 4, 2] },
    { name: 'scores', type: 'float32', dims: ['lines'] }
  ]
}

/** A line as the library reads it; `mean` is the mean probability of its letters. */
interface Line {
  readonly text: string
  readonly mean: number
  /** Corners clockwise from the top left, in pixels as the detector saw them. */
  readonly box?: readonly (readonly number[])[]
}

/** The detector scales an image up to multiples of this many pixels. */
const DETECTOR_STRIDE = 32

/**
 * Text recognition with PaddleOCR's models through @gutenye/ocr-node: a detector (`…det….onnx`), a recogniser
 * (`…rec….onnx`) and its dictionary (`….txt`). Takes the bytes of an image file and returns its lines in reading order,
 * with a box and a score each. Nothing of an image is written to disk.
 */
export async function loadOcrTask(model: RunnableModel, threads: number): Promise<LoadedTask> {
  const images = new Map<string, Image>()
  const files = { detection: onlyFile(model, /det[^/]*\.onnx$/), recognition: onlyFile(model, /rec[^/]*\.onnx$/), dictionary: onlyFile(model, /\.txt$/) }
  useMemoryBackend({ images, openSession: path => openSession(model, path, threads) })
  const models = { detectionPath: files.detection, recognitionPath: files.recognition, dictionaryPath: modelFile(model, files.dictionary) }
  const ocr: { detect: (image: string) => Promise<Line[]> } = await Ocr.create({ models })

  const run = async (input: Value): Promise<Value['tensors']> => {
    const image = await decodeImage((input.tensors.image as Tensor).data)
    try {
      images.set('page', image)
      return ocrTensors(await ocr.detect('page'), image)
    } catch (error) {
      throw runError(error)
    } finally {
      images.clear()
    }
  }
  return { kind: 'ocr', signature: SIGNATURE, run }
}

function ocrTensors(found: readonly Line[], image: Image): Value['tensors'] {
  const lines = found.map(line => ({ ...line, text: asciiForms(line.text) })).filter(line => line.text.trim() !== '')
  const toPage = fromDetector(image)
  const boxes = Float32Array.from(lines.flatMap(({ box = [] }) => box.flatMap(([x = 0, y = 0]) => toPage(x, y))))
  const scores = Float32Array.from(lines, line => line.mean)
  const text = new Uint8Array(Buffer.from(lines.map(line => line.text).join('\n'), 'utf8'))
  return {
    text: { type: 'uint8', dims: [text.length], data: text },
    lines: { type: 'string', dims: [lines.length], data: encodeStrings(lines.map(line => line.text)) },
    boxes: { type: 'float32', dims: [lines.length, 4, 2], data: new Uint8Array(boxes.buffer) },
    scores: { type: 'float32', dims: [lines.length], data: new Uint8Array(scores.buffer) }
  }
}

/** Undoes our scaling and the detector's: the image as large as fits multiples of its stride, in the middle. */
function fromDetector({ width, height, scale: shrunk }: Image): (x: number, y: number) => [number, number] {
  const [wide, high] = [width, height].map(side => Math.ceil(side / DETECTOR_STRIDE) * DETECTOR_STRIDE) as [number, number]
  const scale = Math.min(wide / width, high / height)
  const [left, top] = [(wide - width * scale) / 2, (high - height * scale) / 2]
  return (x, y) => [(x - left) / scale / shrunk, (y - top) / scale / shrunk]
}

function onlyFile(model: RunnableModel, pattern: RegExp): string {
  const files = model.files.filter(path => pattern.test(path))
  const [file] = files
  if (file === undefined || files.length > 1)
    throw new MotorpoolError(
      'ERR_BAD_MODEL',
      `an ocr model needs one file like ${pattern.source}, it has ${files.length}; add PaddleOCR's det, rec and dictionary`
    )
  return file
}
