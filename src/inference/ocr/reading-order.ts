import type { Rectangle } from './rectangle.ts'

/** Two regions stand in one line when their middles differ by less than this share of the lower one's height. */
const SAME_LINE_SHARE = 0.5

/**
 * Regions as a reader takes them: lines from the top to the bottom, each from left to right. Heights are measured across the
 * page's own slant (the regions' median), so that a page that lies a little askew keeps its lines apart.
 */
export function readingOrder<T extends { readonly region: Rectangle }>(items: readonly T[]): T[][] {
  const slopes = items.map(({ region: { along } }) => along[1] / along[0]).sort((left, right) => left - right)
  const slope = slopes[slopes.length >> 1] ?? 0
  const level = ({ region: { centre } }: T): number => centre[1] - centre[0] * slope
  const lines: T[][] = []
  for (const item of items.toSorted((left, right) => level(left) - level(right) || left.region.centre[0] - right.region.centre[0])) {
    const line = lines.at(-1)
    const first = line?.[0]
    if (line !== undefined && first !== undefined && level(item) - level(first) < Math.min(item.region.height, first.region.height) * SAME_LINE_SHARE)
      line.push(item)
    else lines.push([item])
  }
  return lines.map(line => line.sort((left, right) => left.region.centre[0] - right.region.centre[0]))
}
