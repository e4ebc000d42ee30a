import type { Image } from './image.ts'

/** A lone pixel stands out from each of its neighbours by at least this many of 255 levels; strokes never do. */
const STANDS_OUT = 24

/**
 * The image without lone specks of dust, which the recogniser would read as full stops: a pixel that is darker or lighter
 * than all eight neighbours takes the value of the nearest of them.
 */
export function despeckle(image: Image): Image {
  const { width, height, rgb } = image
  const cleaned = Uint8Array.from(rgb)
  const stride = width * 3
  for (let y = 1; y < height - 1; y++) {
    for (let at = y * stride + 3; at < (y + 1) * stride - 3; at++) {
      const value = rgb[at] as number
      const [left, right] = [rgb[at - 3] as number, rgb[at + 3] as number]
      // Most pixels lie between their own neighbours in the row, give or take a little: nothing to do there.
      if (value >= Math.min(left, right) - STANDS_OUT && value <= Math.max(left, right) + STANDS_OUT) continue
      let lowest = 255
      let highest = 0
      for (let row = at - stride; row <= at + stride; row += stride) {
        for (let next = row - 3; next <= row + 3; next += 3) {
          if (next === at) continue
          const neighbour = rgb[next] as number
          lowest = Math.min(lowest, neighbour)
          highest = Math.max(highest, neighbour)
        }
      }
      if (value < lowest - STANDS_OUT) cleaned[at] = lowest
      else if (value > highest + STANDS_OUT) cleaned[at] = highest
    }
  }
  return { width, height, rgb: cleaned }
}
