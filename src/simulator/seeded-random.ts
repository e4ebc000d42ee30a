/** Draws that a seed fixes, for fleets and traces that can be made again. Not for secrets. */
export interface SeededRandom {
  /** In [0, 1). */
  readonly uniform: () => number
  /** Between two bounds. */
  readonly between: (least: number, most: number) => number
  /** Mean 0, deviation 1 (Box and Muller). */
  readonly normal: () => number
  readonly chance: (probability: number) => boolean
}

/** A generator (mulberry32) for each list of whole numbers; lists that differ anywhere give unrelated draws. */
export function seededRandom(...seeds: readonly number[]): SeededRandom {
  let state = 0x9e3779b9
  for (const seed of seeds) state = mix((state ^ Math.imul(seed | 0, 0x85ebca6b)) + 0x6d2b79f5)
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    return mix(state) / 2 ** 32
  }
  return {
    uniform,
    between: (least, most) => least + (most - least) * uniform(),
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    chance: probability => uniform() < probability
  }
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 15), 1 | value)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return (mixed ^ (mixed >>> 14)) >>> 0
}
