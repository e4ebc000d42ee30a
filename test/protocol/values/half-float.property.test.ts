import fc from 'fast-check'
import { expect, test } from 'vitest'
import { floatOfHalf, floatsOfHalves, halfOfFloat, halvesOfFloats } from '../../../src/protocol/values/half-float.ts'

test('many floats are narrowed as each of them is', () => {
  const anyBits = fc.uint32Array({ maxLength: 200 }).map(words => new Float32Array(words.buffer))
  const nearHalves = fc.array(fc.tuple(fc.nat(0xffff), fc.integer({ min: -3, max: 3 })), { maxLength: 100 }).map(pairs => {
    const floats = Float32Array.from(pairs, ([bits]) => floatOfHalf(bits))
    const words = new Uint32Array(floats.buffer)
    // Beside a half and beside the middle between two of them.
    pairs.forEach(([bits, step], at) => {
      words[at] = ((words[at] ?? 0) + step + (bits % 2) * 0x1000) >>> 0
    })
    return floats
  })
  fc.assert(
    fc.property(fc.oneof(anyBits, nearHalves), floats => {
      expect(halvesOfFloats(floats)).toEqual(Uint16Array.from(floats, halfOfFloat))
    })
  )
})

test('every half is widened exactly, and narrowed to itself', () => {
  const all = Uint16Array.from({ length: 65_536 }, (_, bits) => bits)
  const floats = floatsOfHalves(all)
  expect(floats).toEqual(Float32Array.from(all, floatOfHalf))
  const numbers = all.filter(bits => !Number.isNaN(floatOfHalf(bits)))
  expect(halvesOfFloats(floatsOfHalves(numbers))).toEqual(numbers)
})
