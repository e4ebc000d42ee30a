import { floatsLike, type Numbers, rowsOf } from './numbers.ts'

/** Each row's elements as probabilities, summed in double precision, in order. */
export function softmax(name: string, numbers: Numbers): Numbers {
  const { values, type, dims } = numbers
  const { count, width } = rowsOf(name, numbers)
  const probabilities = floatsLike(name, numbers, values.length)
  const powers = new Float64Array(width)
  for (let row = 0; row < count; row++) {
    const start = row * width
    let greatest = Number.NEGATIVE_INFINITY
    for (let at = 0; at < width; at++) greatest = Math.max(greatest, values[start + at] ?? 0)
    let sum = 0
    for (let at = 0; at < width; at++) {
      const power = Math.exp((values[start + at] ?? 0) - greatest)
      powers[at] = power
      sum += power
    }
    for (let at = 0; at < width; at++) probabilities[start + at] = (powers[at] ?? 0) / sum
  }
  return { type, dims, values: probabilities }
}
