import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFrameReader, frameHead } from '../../src/protocol/frames.ts'
import { expectRefused } from '../fixtures/wire/golden.ts'

/** Cuts bytes at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [0, ...places.map(place => place % (bytes.length + 1)).sort((left, right) => left - right), bytes.length]
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end))
}

function read(chunks: readonly Uint8Array[], limit: number): Uint8Array[] {
  const frames: Uint8Array[] = []
  const reader = createFrameReader({
    limit,
    onFrame: (parts, length) => {
      const body = new Uint8Array(Buffer.concat(parts))
      expect(body.length).toBe(length)
      frames.push(body)
    }
  })
  for (const chunk of chunks) reader(chunk)
  return frames
}

const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 })
const glue = (list: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(list.flatMap(body => [frameHead(body.length), body])))

describe('frames', () => {
  it('come out as they went in, however the stream was cut or glued', () => {
    fc.assert(
      fc.property(bodies, fc.array(fc.nat(), { maxLength: 20 }), (list, places) => {
        expect(read(cut(glue(list), places), 300)).toEqual(list)
      }),
      { numRuns: 300 }
    )
  })

  it('come out of single bytes, empty ones too', () => {
    const list = [new Uint8Array(), Uint8Array.of(1), new Uint8Array(), new Uint8Array(300).fill(9), new Uint8Array()]
    expect(
      read(
        [...glue(list)].map(byte => Uint8Array.of(byte)),
        300
      )
    ).toEqual(list)
  })

  it('are handed out as views of their chunks, without a copy', () => {
    const chunk = glue([new Uint8Array(100).fill(1)])
    createFrameReader({ limit: 100, onFrame: parts => expect(parts[0]?.buffer).toBe(chunk.buffer) })(chunk)
    expect.assertions(1)
  })

  it('above the limit are refused at their head, and nothing is read after', () => {
    for (const length of [301, 2 ** 31, 2 ** 32 - 1]) {
      const frames: number[] = []
      const reader = createFrameReader({ limit: 300, onFrame: (_, size) => frames.push(size) })
      reader(glue([new Uint8Array(300)]))
      const head = frameHead(length)
      reader(head.subarray(0, 3))
      expectRefused(() => reader(head.subarray(3)), 'ERR_BAD_FRAME')
      for (let again = 0; again < 3; again++) expectRefused(() => reader(glue([Uint8Array.of(1)])), 'ERR_BAD_FRAME')
      expect(frames).toEqual([300])
    }
  })

  it('that are cut off are not handed out', () => {
    const whole = glue([new Uint8Array(20).fill(3)])
    for (let length = 0; length < whole.length; length++) expect(read([whole.subarray(0, length)], 300)).toEqual([])
  })
})
