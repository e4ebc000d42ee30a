import type { Image } from './image.ts'
import type { Rectangle } from './rectangle.ts'

/** A line of text cut out of an image, turned level and scaled to the recogniser's height. */
export interface Strip {
  readonly width: number
  readonly height: number
  /** Row-major RGB, 0 to 255. */
  readonly rgb: Float32Array
}

/** Samples of one pixel in each direction at most; enough for letters a hundred times the recogniser's height. */
const MOST_SAMPLES = 8

/**
 * Cuts a rectangle out of an image, `height` pixels high, at its own proportions. Each pixel is the mean of bilinear samples
 * no more than a source pixel apart, so that large letters keep their thin strokes. Only basic arithmetic is used, which
 * gives the same bits on every machine.
 */
export function cutStrip(image: Image, region: Rectangle, height: number): Strip {
  const scale = region.height / height
  const width = Math.max(1, Math.round(region.width / scale))
  const samples = Math.min(MOST_SAMPLES, Math.max(1, Math.ceil(scale)))
  const [ux, uy] = region.along
  const rgb = new Float32Array(width * height * 3)
  const share = 1 / (samples * samples)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const to = (y * width + x) * 3
      for (let sample = 0; sample < samples * samples; sample++) {
        const across = ((x + ((sample % samples) + 0.5) / samples) / width - 0.5) * region.width
        const down = ((y + (Math.floor(sample / samples) + 0.5) / samples) / height - 0.5) * region.height
        addSample(image, region.centre[0] + across * ux - down * uy - 0.5, region.centre[1] + across * uy + down * ux - 0.5, share, rgb, to)
      }
    }
  }
  return { width, height, rgb }
}

/** Adds the bilinear sample at a point, times `share`; outside of the image its nearest pixel counts. */
function addSample(image: Image, x: number, y: number, share: number, into: Float32Array, to: number): void {
  const atX = Math.min(Math.max(x, 0), image.width - 1)
  const atY = Math.min(Math.max(y, 0), image.height - 1)
  const [left, top] = [Math.floor(atX), Math.floor(atY)]
  const right = Math.min(left + 1, image.width - 1)
  const bottom = Math.min(top + 1, image.height - 1)
  const towardsRight = atX - left
  const towardsBottom = atY - top
  const [topLeft, topRight, bottomLeft, bottomRight] = [
    top * image.width + left,
    top * image.width + right,
    bottom * image.width + left,
    bottom * image.width + right
  ]
  for (let channel = 0; channel < 3; channel++) {
    const above = mix(image.rgb[topLeft * 3 + channel] ?? 0, image.rgb[topRight * 3 + channel] ?? 0, towardsRight)
    const below = mix(image.rgb[bottomLeft * 3 + channel] ?? 0, image.rgb[bottomRight * 3 + channel] ?? 0, towardsRight)
    into[to + channel] = (into[to + channel] ?? 0) + mix(above, below, towardsBottom) * share
  }
}

function mix(from: number, to: number, share: number): number {
  return from + (to - from) * share
}
