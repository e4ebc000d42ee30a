import { type Point, type Rectangle, smallestRectangle } from './rectangle.ts'

/** The detector's answer: how likely each pixel belongs to text. */
export interface TextMap {
  readonly width: number
  readonly height: number
  /** Row-major, 0 to 1. */
  readonly probability: Float32Array
}

/** PaddleOCR's own settings of its DB detector (det_db_thresh, det_db_box_thresh, det_db_unclip_ratio). */
const PIXEL_THRESHOLD = 0.3
const REGION_THRESHOLD = 0.6
const UNCLIP = 1.5
/** Smaller regions than this, in pixels of the map, hold no letter. */
const SMALLEST_SIDE = 3

/** A rectangle around each connected region of text, grown back to the letters' full height (Liao et al., arXiv 1911.08947 §3.4). */
export function textRegions(map: TextMap): Rectangle[] {
  const { width, height, probability } = map
  const seen = new Uint8Array(width * height)
  const regions: Rectangle[] = []
  for (let start = 0; start < seen.length; start++) {
    if (seen[start] === 1 || (probability[start] ?? 0) <= PIXEL_THRESHOLD) continue
    const { outline, score } = flood(map, seen, start)
    const core = smallestRectangle(outline)
    if (score < REGION_THRESHOLD || Math.min(core.width, core.height) < SMALLEST_SIDE) continue
    const growth = (core.width * core.height * UNCLIP) / (core.width + core.height)
    regions.push({ ...core, width: core.width + growth, height: core.height + growth })
  }
  return regions
}

/** The leftmost and rightmost pixel of each row of a region (enough for its hull), and its mean probability. */
function flood({ width, height, probability }: TextMap, seen: Uint8Array, start: number): { readonly outline: Point[]; readonly score: number } {
  const ends = new Map<number, [left: number, right: number]>()
  const open = [start]
  seen[start] = 1
  let sum = 0
  let count = 0
  for (let pixel = open.pop(); pixel !== undefined; pixel = open.pop()) {
    const [x, y] = [pixel % width, Math.floor(pixel / width)]
    sum += probability[pixel] ?? 0
    count++
    const row = ends.get(y)
    if (row === undefined) ends.set(y, [x, x])
    else if (x < row[0]) row[0] = x
    else if (x > row[1]) row[1] = x
    for (let nextY = Math.max(0, y - 1); nextY <= Math.min(height - 1, y + 1); nextY++) {
      for (let nextX = Math.max(0, x - 1); nextX <= Math.min(width - 1, x + 1); nextX++) {
        const next = nextY * width + nextX
        if (seen[next] === 1 || (probability[next] ?? 0) <= PIXEL_THRESHOLD) continue
        seen[next] = 1
        open.push(next)
      }
    }
  }
  const outline: Point[] = []
  // A pixel is a square: its far sides count too.
  for (const [y, [left, right]] of ends) outline.push([left, y], [right + 1, y], [left, y + 1], [right + 1, y + 1])
  return { outline, score: sum / count }
}
