import { type InferenceSession, Tensor } from 'onnxruntime-node'
import sharp from 'sharp'
import type { Image } from './image.ts'
import type { Rectangle } from './rectangle.ts'
import { textRegions } from './regions.ts'

/** The detector's strides add up to this; its input's sides must be multiples. */
const STRIDE = 32
/** Longer sides are scaled down: a page of small print still has letters of 12 pixels, and a run stays under two seconds. */
const LONGEST_SIDE = 1920
/** What the detector was trained with (PaddleOCR, ImageNet's figures), in its channel order blue, green, red. */
const MEAN = [0.485, 0.456, 0.406] as const
const DEVIATION = [0.229, 0.224, 0.225] as const

/** Where text stands in an image, in its pixels; in no order. */
export async function detectText(session: InferenceSession, image: Image): Promise<Rectangle[]> {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(image.width, image.height))
  const small = scale === 1 ? image : await resize(image, scale)
  const width = Math.ceil(small.width / STRIDE) * STRIDE
  const height = Math.ceil(small.height / STRIDE) * STRIDE
  const outputs = await session.run({ [session.inputNames[0] ?? '']: new Tensor('float32', planes(small, width, height), [1, 3, height, width]) })
  const probability = outputs[session.outputNames[0] ?? '']?.data
  if (!(probability instanceof Float32Array) || probability.length !== width * height) throw new Error('the text detector has no map as output')
  return textRegions({ width, height, probability }).map(region => enlarge(region, image.width / small.width, image.height / small.height))
}

async function resize(image: Image, scale: number): Promise<Image> {
  const [width, height] = [Math.max(1, Math.round(image.width * scale)), Math.max(1, Math.round(image.height * scale))]
  const rgb = await sharp(image.rgb, { raw: { width: image.width, height: image.height, channels: 3 } })
    .resize(width, height, { fit: 'fill' })
    .raw()
    .toBuffer()
  return { width, height, rgb }
}

/** Normalized planes, padded at the right and the bottom with the colour of the nearest pixel, so that no edge looks like a stroke. */
function planes(image: Image, width: number, height: number): Float32Array {
  const values = new Float32Array(3 * width * height)
  for (let channel = 0; channel < 3; channel++) {
    const mean = MEAN[channel] ?? 0
    const deviation = DEVIATION[channel] ?? 1
    const table = Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - mean) / deviation)
    for (let y = 0; y < height; y++) {
      const row = Math.min(y, image.height - 1) * image.width
      const to = (channel * height + y) * width
      for (let x = 0; x < width; x++) values[to + x] = table[image.rgb[(row + Math.min(x, image.width - 1)) * 3 + 2 - channel] ?? 0] ?? 0
    }
  }
  return values
}

function enlarge(region: Rectangle, scaleX: number, scaleY: number): Rectangle {
  return { ...region, centre: [region.centre[0] * scaleX, region.centre[1] * scaleY], width: region.width * scaleX, height: region.height * scaleY }
}
