import sharp, { type Metadata } from 'sharp'
import { MotorpoolError } from '../../protocol/errors.ts'
import { toHex } from '../../protocol/ids.ts'

/** A picture as rows of RGBA bytes, `width × height × 4` of them, all opaque; `scale` times the size of the file's. */
export interface Image {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array
  readonly scale: number
}

/** How PNG, JPEG and WebP files begin, in hex; no other decoder gets to see what a stranger sends. */
const BEGINNINGS = [/^89504e470d0a1a0a/, /^ffd8ff/, /^52494646.{8}57454250/]
/** A few kilobytes of PNG can unfold to gigapixels; the largest phone photos have 50 megapixels. */
const MOST_PIXELS = 64_000_000
/** Larger pictures are scaled down: a page of small print still has letters of 12 pixels, and the detector needs a gigabyte for more. */
const LONGEST_SIDE = 1920

// One thread an image: slots decide how much of the machine a car gives away. And nothing is kept of an image.
sharp.concurrency(1)
sharp.cache(false)

/**
 * Decodes a PNG, JPEG or WebP file upright (EXIF orientation) on white, its longer side at most 1920 pixels, in memory alone. Throws `ERR_BAD_IMAGE` for
 * anything else, for files that are cut off and for pictures of more than 64 megapixels.
 */
export async function decodeImage(file: Uint8Array): Promise<Image> {
  if (file.length === 0) throw badImage('the image is empty; send the bytes of a PNG, JPEG or WebP file')
  const beginning = toHex(file.subarray(0, 12))
  if (!BEGINNINGS.some(pattern => pattern.test(beginning))) throw badImage('the input is no PNG, JPEG or WebP file; send the bytes of one')
  const { width = 0, height = 0 } = await readMetadata(file)
  const pixels = width * height
  if (pixels > MOST_PIXELS) throw badImage(`the image has ${Math.round(pixels / 1e6)} megapixels, at most ${MOST_PIXELS / 1e6} are read; scale it down`)
  try {
    const { data, info } = await sharp(file, { failOn: 'truncated', limitInputPixels: MOST_PIXELS })
      .rotate()
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .resize({ width: LONGEST_SIDE, height: LONGEST_SIDE, fit: 'inside', withoutEnlargement: true })
      .ensureAlpha(1)
      .raw()
      .toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, data, scale: Math.max(info.width, info.height) / Math.max(width, height) }
  } catch (cause) {
    throw badImage('the image cannot be decoded, it is damaged or cut off; send the whole file', cause)
  }
}

async function readMetadata(file: Uint8Array): Promise<Metadata> {
  try {
    return await sharp(file, { limitInputPixels: false }).metadata()
  } catch (cause) {
    throw badImage('the image cannot be read, it is damaged or cut off; send the whole file', cause)
  }
}

function badImage(message: string, cause?: unknown): MotorpoolError {
  return new MotorpoolError('ERR_BAD_IMAGE', message, { cause })
}
