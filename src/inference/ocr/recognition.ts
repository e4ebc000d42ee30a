import { type InferenceSession, Tensor } from 'onnxruntime-node'
import { asciiForms } from './ascii-forms.ts'
import type { Image } from './image.ts'
import type { Rectangle } from './rectangle.ts'
import { cutStrip, type Strip } from './strip.ts'
import { type Letter, withWordGaps } from './word-gaps.ts'

/** The height that the recogniser was trained with, pixels. */
const STRIP_HEIGHT = 48
/** It was trained on strips this wide; shorter ones are filled up with grey, as in its training. */
const SHORTEST_STRIP = 320
/** Wider strips than this (some 400 letters) take memory for nothing: they are no lines of text. */
const LONGEST_STRIP = 8192
/** From this on a region that is higher than wide may be a line that runs upwards or downwards. */
const UPRIGHT_RATIO = 1.5

export interface RecognizedText {
  readonly text: string
  /** Mean probability of its letters, 0 to 1. */
  readonly score: number
}

export interface Recognizer {
  readonly session: InferenceSession
  /** The letter of each class but 0, which is the blank. */
  readonly letters: readonly string[]
}

/** The letters of a recogniser's dictionary file, one a line; the space comes last and has no line. */
export function readDictionary(text: string): string[] {
  return [...text.replace(/\n$/, '').split(/\r?\n/), ' ']
}

/** Reads the line of text in a region of an image. One that stands upright is read both ways; the surer reading counts. */
export async function recognizeText(recognizer: Recognizer, image: Image, region: Rectangle): Promise<RecognizedText> {
  const level = await readStrip(recognizer, cutStrip(image, region, STRIP_HEIGHT))
  if (region.height < region.width * UPRIGHT_RATIO) return level
  const [ux, uy] = region.along
  const turned = await readStrip(
    recognizer,
    cutStrip(image, { centre: region.centre, along: [-uy, ux], width: region.height, height: region.width }, STRIP_HEIGHT)
  )
  return turned.score > level.score ? turned : level
}

async function readStrip({ session, letters }: Recognizer, strip: Strip): Promise<RecognizedText> {
  if (strip.width > LONGEST_STRIP) return { text: '', score: 0 }
  const width = Math.max(SHORTEST_STRIP, strip.width)
  const outputs = await session.run({ [session.inputNames[0] ?? '']: new Tensor('float32', planes(strip, width), [1, 3, STRIP_HEIGHT, width]) })
  const output = outputs[session.outputNames[0] ?? '']
  const [, steps, classes] = output?.dims ?? []
  if (!(output?.data instanceof Float32Array) || steps === undefined || classes === undefined) throw new Error('the text recogniser has no letters as output')
  if (classes !== letters.length + 1) throw new Error(`the text recogniser knows ${classes - 1} letters, its dictionary has ${letters.length}`)
  const found = decode(output.data, steps, classes, letters).map(letter => ({ ...letter, at: ((letter.step + 0.5) * width) / steps }))
  const score = found.length === 0 ? 0 : found.reduce((sum, letter) => sum + letter.probability, 0) / found.length
  return { text: asciiForms(withWordGaps(found, strip)), score }
}

/** Best class of each step, repeats and blanks dropped (greedy CTC; Graves et al., 2006). */
function decode(
  data: Float32Array,
  steps: number,
  classes: number,
  letters: readonly string[]
): (Omit<Letter, 'at'> & { step: number; probability: number })[] {
  const found = []
  let before = 0
  for (let step = 0; step < steps; step++) {
    const row = step * classes
    let best = 0
    for (let candidate = 1; candidate < classes; candidate++) if ((data[row + candidate] ?? 0) > (data[row + best] ?? 0)) best = candidate
    if (best !== 0 && best !== before) found.push({ text: letters[best - 1] ?? '', step, probability: data[row + best] ?? 0 })
    before = best
  }
  return found
}

/** Planes of blue, green, red from −1 to 1; what is filled up is 0. */
function planes(strip: Strip, width: number): Float32Array {
  const values = new Float32Array(3 * STRIP_HEIGHT * width)
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < STRIP_HEIGHT; y++) {
      const to = (channel * STRIP_HEIGHT + y) * width
      for (let x = 0; x < strip.width; x++) values[to + x] = (strip.rgb[(y * strip.width + x) * 3 + 2 - channel] ?? 0) / 127.5 - 1
    }
  }
  return values
}
