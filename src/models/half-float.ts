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
