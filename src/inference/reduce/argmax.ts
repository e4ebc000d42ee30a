import { type Numbers, rowsOf } from './numbers.ts'

/** Index of each row's greatest element, the last axis dropped. NaN is greater than any number, as in NumPy; ties go to the lower index. */
export function argmax(name: string, numbers: Numbers): { readonly dims: readonly number[]; readonly indices: Int32Array<ArrayBuffer> } {
  const { values, dims } = numbers
  const { count, width } = rowsOf(name, numbers)
  const indices = new Int32Array(count)
  for (let row = 0; row < count; row++) {
    const start = row * width
    let best = 0
    let greatest = values[start] ?? 0
    for (let at = 1; at < width && !Number.isNaN(greatest); at++) {
      const value = values[start + at] ?? 0
      if (value <= greatest) continue
      best = at
      greatest = value
    }
    indices[row] = best
  }
  return { dims: dims.slice(0, -1), indices }
}
