import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asciiForms } from '../../src/inference/ocr/ascii-forms.ts'
import { despeckle } from '../../src/inference/ocr/despeckle.ts'
import { readingOrder } from '../../src/inference/ocr/reading-order.ts'
import { readDictionary } from '../../src/inference/ocr/recognition.ts'
import { corners, type Point, type Rectangle, smallestRectangle } from '../../src/inference/ocr/rectangle.ts'
import { textRegions } from '../../src/inference/ocr/regions.ts'
import { cutStrip } from '../../src/inference/ocr/strip.ts'
import { withWordGaps } from '../../src/inference/ocr/word-gaps.ts'

const region = (x: number, y: number, degrees = 0): Rectangle => ({
  centre: [x, y],
  along: [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)],
  width: 100,
  height: 20
})

describe('the smallest rectangle', () => {
  test('around the corners of a rectangle is that rectangle, askew or not', () => {
    fc.assert(
      fc.property(fc.integer({ min: -44, max: 44 }), fc.integer({ min: 5, max: 500 }), fc.integer({ min: 5, max: 500 }), (degrees, width, height) => {
        const rectangle = { ...region(300, 200, degrees), width, height }
        const found = smallestRectangle(corners(rectangle))
        expect(found.width * found.height).toBeCloseTo(width * height, 3)
        expect(found.centre[0]).toBeCloseTo(300, 6)
        expect(found.centre[1]).toBeCloseTo(200, 6)
      })
    )
  })

  test('holds every point', () => {
    const pixel = fc.integer({ min: 0, max: 200 })
    fc.assert(
      fc.property(fc.array(fc.tuple(pixel, pixel), { minLength: 1, maxLength: 40 }), points => {
        const { centre, along, width, height } = smallestRectangle(points)
        for (const [x, y] of points) {
          expect(Math.abs((x - centre[0]) * along[0] + (y - centre[1]) * along[1])).toBeLessThanOrEqual(width / 2 + 1e-6)
          expect(Math.abs((y - centre[1]) * along[0] - (x - centre[0]) * along[1])).toBeLessThanOrEqual(height / 2 + 1e-6)
        }
      })
    )
  })

  test('gives corners clockwise from the top left', () => {
    expect(corners(region(50, 10))).toEqual([
      [0, 0],
      [100, 0],
      [100, 20],
      [0, 20]
    ] satisfies Point[])
  })
})

test('each connected region of likely pixels is one rectangle, grown; faint and tiny ones are none', () => {
  const [width, height] = [64, 32]
  const probability = new Float32Array(width * height)
  const fill = (left: number, top: number, wide: number, high: number, likely: number): void => {
    for (let y = top; y < top + high; y++) probability.fill(likely, y * width + left, y * width + left + wide)
  }
  fill(4, 4, 40, 8, 0.9)
  fill(4, 20, 40, 8, 0.5)
  fill(60, 30, 2, 2, 0.9)
  const [found, ...others] = textRegions({ width, height, probability })
  expect(others).toEqual([])
  expect(found?.centre).toEqual([24, 8])
  expect(found?.width).toBe(40 + (40 * 8 * 1.5) / 48)
})

describe('reading order', () => {
  const order = (regions: Rectangle[]): Rectangle[][] => readingOrder(regions.map(one => ({ region: one }))).map(line => line.map(item => item.region))

  test('goes down the lines and along each', () => {
    const [a, b, c, d] = [region(60, 10), region(200, 14), region(60, 40), region(200, 38)]
    expect(order([d, c, b, a])).toEqual([
      [a, b],
      [c, d]
    ])
  })

  test('follows a page that lies askew', () => {
    const slope = Math.tan((3 * Math.PI) / 180)
    const at = (x: number, y: number): Rectangle => region(x, y + x * slope, 3)
    const [a, b, c, d] = [at(60, 10), at(900, 10), at(60, 40), at(900, 40)]
    expect(order([b, d, a, c])).toEqual([
      [a, b],
      [c, d]
    ])
  })

  test('of nothing is nothing', () => expect(order([])).toEqual([]))
})

test('a lone dark pixel is dust, a full stop of two by two is not', () => {
  const width = 12
  const rgb = new Uint8Array(width * width * 3).fill(240)
  const dot = (x: number, y: number): void => void rgb.fill(20, (y * width + x) * 3, (y * width + x) * 3 + 3)
  dot(2, 2)
  for (const [x, y] of [
    [7, 7],
    [8, 7],
    [7, 8],
    [8, 8]
  ] as const)
    dot(x, y)
  const cleaned = despeckle({ width, height: width, rgb })
  expect(cleaned.rgb[(2 * width + 2) * 3]).toBe(240)
  expect(cleaned.rgb[(7 * width + 7) * 3]).toBe(20)
})

test('a strip is cut level out of a picture, and keeps its colours', () => {
  const rgb = new Uint8Array(40 * 20 * 3)
  for (let pixel = 0; pixel < 800; pixel++) rgb[pixel * 3] = pixel % 40 < 20 ? 0 : 200
  const strip = cutStrip({ width: 40, height: 20, rgb }, { centre: [20, 10], along: [1, 0], width: 40, height: 20 }, 10)
  expect([strip.width, strip.height]).toEqual([20, 10])
  expect(strip.rgb[0]).toBe(0)
  expect(strip.rgb[19 * 3]).toBe(200)
})

test('spaces that the recogniser dropped come back where the paper shows a gap as wide as between other words', () => {
  // Letters of 8 columns, 2 apart; words 10 apart.
  const line = 'ab,cd ef'
  const starts = [0, 10, 20, 38, 48, 0, 66, 76]
  const width = 90
  const rgb = new Float32Array(width * 10 * 3).fill(255)
  for (const [at, start] of starts.entries()) {
    if (line[at] === ' ') continue
    for (let y = 2; y < 8; y++) rgb.fill(0, (y * width + start) * 3, (y * width + start + 8) * 3)
  }
  const letters = [...line].map((text, at) => ({ text, at: text === ' ' ? 61 : (starts[at] as number) + 4 }))
  expect(withWordGaps(letters, { width, height: 10, rgb })).toBe('ab, cd ef')
  expect(withWordGaps([], { width, height: 10, rgb })).toBe('')
})

test('full-width punctuation becomes ASCII in Latin lines and stays in Chinese ones', () => {
  expect(asciiForms('Well，（yes）！')).toBe('Well,(yes)!')
  expect(asciiForms('停车，充电。')).toBe('停车，充电。')
})

test('a dictionary has a letter a line and the space at its end', () => {
  expect(readDictionary('a\nb\n')).toEqual(['a', 'b', ' '])
  expect(readDictionary('a\r\nb')).toEqual(['a', 'b', ' '])
})
