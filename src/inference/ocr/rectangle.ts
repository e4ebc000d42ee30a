/** A point in pixels, y downwards. */
export type Point = readonly [x: number, y: number]

/** A rectangle that may stand askew: `along` is the unit vector of its width, within 45° of the x axis. */
export interface Rectangle {
  readonly centre: Point
  readonly along: Point
  readonly width: number
  readonly height: number
}

/** Corners clockwise from the top left, as a reader sees them. */
export function corners({ centre: [x, y], along: [ux, uy], width, height }: Rectangle): [Point, Point, Point, Point] {
  const [wx, wy] = [(ux * width) / 2, (uy * width) / 2]
  const [hx, hy] = [(-uy * height) / 2, (ux * height) / 2]
  return [
    [x - wx - hx, y - wy - hy],
    [x + wx - hx, y + wy - hy],
    [x + wx + hx, y + wy + hy],
    [x - wx + hx, y - wy + hy]
  ]
}

/** The smallest rectangle around points: one of its sides lies along a side of their convex hull (Freeman and Shapira, 1975). */
export function smallestRectangle(points: readonly Point[]): Rectangle {
  const hull = convexHull(points)
  let best: Rectangle | undefined
  for (let at = 0; at < hull.length; at++) {
    const [fromX, fromY] = hull[at] as Point
    const [toX, toY] = hull[(at + 1) % hull.length] as Point
    const length = Math.sqrt((toX - fromX) ** 2 + (toY - fromY) ** 2)
    const rectangle = rectangleAlong(hull, length === 0 ? [1, 0] : [(toX - fromX) / length, (toY - fromY) / length])
    if (best === undefined || rectangle.width * rectangle.height < best.width * best.height) best = rectangle
  }
  return best ?? { centre: [0, 0], along: [1, 0], width: 0, height: 0 }
}

function rectangleAlong(hull: readonly Point[], direction: Point): Rectangle {
  const along = upright(direction)
  const [ux, uy] = along
  const across = hull.map(([x, y]) => x * ux + y * uy)
  const down = hull.map(([x, y]) => y * ux - x * uy)
  const [left, right, top, bottom] = [Math.min(...across), Math.max(...across), Math.min(...down), Math.max(...down)]
  const [u, v] = [(left + right) / 2, (top + bottom) / 2]
  return { centre: [u * ux - v * uy, u * uy + v * ux], along, width: right - left, height: bottom - top }
}

/** The one of four quarter turns of a direction that is nearest to the x axis. */
function upright([x, y]: Point): Point {
  const [ux, uy] = Math.abs(x) >= Math.abs(y) ? [x, y] : [y, -x]
  return ux < 0 ? [-ux, -uy] : [ux, uy]
}

/** Andrew's monotone chain (1979). */
function convexHull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((left, right) => left[0] - right[0] || left[1] - right[1])
  const half = (ordered: readonly Point[]): Point[] => {
    const chain: Point[] = []
    for (const point of ordered) {
      while (chain.length >= 2 && turn(chain[chain.length - 2] as Point, chain[chain.length - 1] as Point, point) <= 0) chain.pop()
      chain.push(point)
    }
    chain.pop()
    return chain
  }
  const hull = [...half(sorted), ...half(sorted.reverse())]
  return hull.length === 0 ? points.slice(0, 1) : hull
}

function turn(from: Point, over: Point, to: Point): number {
  return (over[0] - from[0]) * (to[1] - from[1]) - (over[1] - from[1]) * (to[0] - from[0])
}
