/** What a row must keep: at least, or at most, this. */
export interface Goal {
  readonly atLeast?: number
  readonly atMost?: number
}

/** One line of bench/results.json; mostly ratios against what people would use instead, measured in the same run. */
export interface Row {
  /** What was compared, in words. */
  readonly measure: string
  readonly value: number
  /** `ratio`, or a unit such as `ms`. */
  readonly unit: string
  /** Null when a row only informs. */
  readonly goal: Goal | null
  /** Paired rounds that the value is the median of. */
  readonly rounds: number
  readonly seed?: number
  readonly note?: string
  /** What stands in the way when the goal is missed, as far as the measure saw it; goes into the note then. */
  readonly why?: string
}

export interface MeasureOptions {
  /** One short round, to see that the bench works; its values mean nothing. */
  readonly quick: boolean
  /** Only workloads with this in their name, of measures that have several. */
  readonly workload: string
  /** Tasks of the measures that count them. @default as many as the measure's goal asks for */
  readonly tasks: number | undefined
  /** Hears of the progress. */
  readonly tell: (line: string) => void
}

/** A file in bench/measures exports one as `measure`. */
export interface Measure {
  /** The file's name; `npm run bench -- NAME…` runs only these. */
  readonly name: string
  /** Cleans up after itself, also when it throws. */
  readonly run: (options: MeasureOptions) => Promise<readonly Row[]>
}

/** NaN of nothing. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN
  const sorted = [...values].sort((left, right) => left - right)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Median of ours ÷ theirs over rounds in which both run one after the other, in turns, so that a noisy machine hits both alike. */
export async function pairedRatio(rounds: number, ours: () => Promise<number> | number, theirs: () => Promise<number> | number): Promise<number> {
  const ratios: number[] = []
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) {
      const first = await ours()
      ratios.push(first / (await theirs()))
    } else {
      const first = await theirs()
      ratios.push((await ours()) / first)
    }
  }
  return median(ratios)
}

/** Whether a row keeps its goal; true when it has none. */
export function keepsGoal({ value, goal }: Row): boolean {
  return goal === null || (value >= (goal.atLeast ?? Number.NEGATIVE_INFINITY) && value <= (goal.atMost ?? Number.POSITIVE_INFINITY))
}
