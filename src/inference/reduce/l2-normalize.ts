import { floatsLike, type Numbers, rowsOf } from './numbers.ts'

/** Keeps a row of zeros a row of zeros; the same number as in PyTorch's `normalize`. */
const LEAST_NORM = 1e-12

/** Each row divided by its Euclidean length, which is summed in double precision, in order. */
export function l2Normalize(name: string, numbers: Numbers): Numbers {
  const { values, type, dims } = numbers
  const { count, width } = rowsOf(name, numbers)
  const normalized = floatsLike(name, numbers, values.length)
  for (let row = 0; row < count; row++) {
    let squares = 0
    for (let at = row * width; at < (row + 1) * width; at++) squares += (values[at] ?? 0) ** 2
    const norm = Math.max(Math.sqrt(squares), LEAST_NORM)
    for (let at = row * width; at < (row + 1) * width; at++) normalized[at] = (values[at] ?? 0) / norm
  }
  return { type, dims, values: normalized }
}
