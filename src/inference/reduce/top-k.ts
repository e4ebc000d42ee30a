import { type Numbers, rowsOf, unfit } from './numbers.ts'

/**
 * Each row's `count` greatest elements in descending order, and their indices; the last axis becomes `count` long. NaN is
 * greater than any number; ties go to the lower index. Throws `ERR_INVALID_INPUT` when rows are shorter than `count`.
 */
export function topK(name: string, numbers: Numbers, count: number): { readonly values: Numbers; readonly indices: Int32Array<ArrayBuffer> } {
  const { values, dims, type } = numbers
  const rows = rowsOf(name, numbers)
  if (count > rows.width) throw unfit(name, `has shape [${dims.join(', ')}], too short for top-k(${count}); ask for at most ${rows.width}`)
  const indices = new Int32Array(rows.count * count)
  const kept = values.slice(0, rows.count * count)
  for (let row = 0; row < rows.count; row++) {
    const elements = values.subarray(row * rows.width, (row + 1) * rows.width)
    greatest(elements, count).forEach((index, place) => {
      indices[row * count + place] = index
      kept[row * count + place] = elements[index] ?? 0
    })
  }
  return { values: { type, dims: [...dims.slice(0, -1), count], values: kept }, indices }
}

/** Above this many, sorting the row is faster than keeping a sorted list of the best. */
const FEW = 32

function greatest(elements: Numbers['values'], count: number): readonly number[] {
  const precedes = (left: number, right: number): boolean => {
    const [a, b] = [elements[left] ?? 0, elements[right] ?? 0]
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return left < right
    return Number.isNaN(a) || a > b
  }
  if (count > FEW) {
    const all = Array.from(elements, (_, index) => index)
    return all.sort((left, right) => (precedes(left, right) ? -1 : 1)).slice(0, count)
  }
  const best: number[] = []
  for (let index = 0; index < elements.length; index++) {
    if (best.length === count && !precedes(index, best[count - 1] ?? 0)) continue
    let place = Math.min(best.length, count - 1)
    for (; place > 0 && precedes(index, best[place - 1] ?? 0); place--) best[place] = best[place - 1] ?? 0
    best[place] = index
  }
  return best
}
