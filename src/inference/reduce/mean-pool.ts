import { floatsLike, type Numbers, unfit } from './numbers.ts'

/** Keeps rows without tokens from dividing by zero; the same number as in sentence-transformers. */
const LEAST_WEIGHT = 1e-9

/**
 * Mean over the tokens that a mask counts: [rows, tokens, width] and a mask [rows, tokens] → [rows, width]; summed in double
 * precision, in order. Throws `ERR_INVALID_INPUT` when the shapes don't fit.
 */
export function meanPool(name: string, numbers: Numbers, maskName: string, mask: Numbers): Numbers {
  const [rows = 0, tokens = 0, width = 0] = numbers.dims
  if (numbers.dims.length !== 3 || mask.dims.length !== 2 || mask.dims[0] !== rows || mask.dims[1] !== tokens)
    throw unfit(
      name,
      `has shape [${numbers.dims.join(', ')}] and its mask ${maskName} [${mask.dims.join(', ')}]; mean-pool needs [rows, tokens, width] and [rows, tokens]`
    )
  const pooled = floatsLike(name, numbers, rows * width)
  const sums = new Float64Array(width)
  for (let row = 0; row < rows; row++) {
    sums.fill(0)
    let total = 0
    for (let token = row * tokens; token < (row + 1) * tokens; token++) {
      const weight = mask.values[token] ?? 0
      if (weight === 0) continue
      total += weight
      const start = token * width
      for (let at = 0; at < width; at++) sums[at] = (sums[at] ?? 0) + weight * (numbers.values[start + at] ?? 0)
    }
    const divisor = Math.max(total, LEAST_WEIGHT)
    for (let at = 0; at < width; at++) pooled[row * width + at] = (sums[at] ?? 0) / divisor
  }
  return { type: numbers.type, dims: [rows, width], values: pooled }
}
