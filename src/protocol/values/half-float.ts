const scratch = new DataView(new ArrayBuffer(8))

/** The bits of the half-precision float (IEEE 754 binary16) nearest to `value`, ties to even. */
export function halfOfFloat(value: number): number {
  scratch.setFloat64(0, value)
  const sign = (scratch.getUint8(0) & 0x80) << 8
  const size = Math.abs(value)
  if (Number.isNaN(value)) return 0x7e00
  // 65520 is halfway between the greatest half, 65504, and what would follow it.
  if (size >= 65520) return sign | 0x7c00
  if (size < 2 ** -14) return sign | roundToEven(size * 2 ** 24)
  const exponent = Math.floor(Math.log2(size))
  const fixed = size >= 2 ** (exponent + 1) ? exponent + 1 : size < 2 ** exponent ? exponent - 1 : exponent
  // A carry out of the fraction raises the exponent by itself.
  return sign | (((fixed + 15) << 10) + (roundToEven((size / 2 ** fixed) * 1024) - 1024))
}

/** The value of half-precision bits. */
export function floatOfHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

function roundToEven(value: number): number {
  const low = Math.floor(value)
  const rest = value - low
  if (rest === 0.5) return low + (low % 2)
  return rest < 0.5 ? low : low + 1
}

let widened: Float32Array | undefined

/** The values of many halves; exact. */
export function floatsOfHalves(halves: Uint16Array): Float32Array<ArrayBuffer> {
  widened ??= Float32Array.from({ length: 65_536 }, (_, bits) => floatOfHalf(bits))
  const floats = new Float32Array(halves.length)
  for (let at = 0; at < halves.length; at++) floats[at] = widened[halves[at] ?? 0] ?? 0
  return floats
}

/** The halves nearest to many single-precision floats, ties to even: as `halfOfFloat`, in integers, so that large tensors take little time. */
export function halvesOfFloats(floats: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(floats.buffer, floats.byteOffset, floats.length)
  const halves = new Uint16Array(floats.length)
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? 0
    const size = word & 0x7fffffff
    const sign = (word >>> 16) & 0x8000
    // 0x38800000 is 2⁻¹⁴, the smallest normal half; 0x477ff000 is 65520, from which on it is infinity.
    if (size < 0x38800000 || size > 0x7f800000) halves[at] = halfOfFloat(floats[at] ?? 0)
    else if (size >= 0x477ff000) halves[at] = sign | 0x7c00
    else halves[at] = sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13)
  }
  return halves
}
