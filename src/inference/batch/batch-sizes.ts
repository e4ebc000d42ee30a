/** Share of a new time in the running one. */
const NEW_SHARE = 0.3
/** A larger batch must save this share of a row's time, or it only makes its first rows wait for its last. */
const LEAST_GAIN = 0.05
/** Times that a size is run before it is judged: the first prepares memory for the new shape. */
const TRIES = 3
/** Runs after which a size that didn't pay is tried again; each time twice as long, so that trials cost little. */
const LOOK_AGAIN = { first: 64, most: 4096 } as const

interface Finding {
  /** Microseconds for each row; undefined until a size was run. */
  rowUs: number | undefined
  runs: number
  /** Run number from which on the size may be tried again. */
  triedUntil: number
  pause: number
  confirmed: boolean
}

/** What larger batches of one model and shape cost, and so how many rows to run together: 1, 2, 4, … */
export interface BatchSizes {
  /** How many rows to run when so many wait; a power of two. */
  next: (waiting: number) => number
  /** Whether a batch of this size has given what its rows give alone, as `confirm` told. */
  isConfirmed: (size: number) => boolean
  confirm: (size: number) => void
  record: (size: number, ranUs: number) => void
  /** Never again so many together: a batch failed, or its rows were not what they are alone. */
  limit: (size: number) => void
  /** How long a run of so many rows will take; 0 when unknown. */
  expectUs: (size: number) => number
  rowTimes: () => readonly (readonly [size: number, rowUs: number])[]
}

/** Grows batches only while a row gets cheaper by it, and looks again now and then. `most` is a power of two. */
export function createBatchSizes(most: number): BatchSizes {
  const findings: Finding[] = []
  for (let size = 1; size <= most; size *= 2) findings.push({ rowUs: undefined, runs: 0, triedUntil: 0, pause: LOOK_AGAIN.first, confirmed: false })
  let top = findings.length - 1
  let runs = 0

  const levelOf = (size: number): number => Math.floor(Math.log2(size))
  const judged = (level: number): boolean => (findings[level]?.runs ?? 0) >= TRIES

  /** The largest level such that each step up to it paid. */
  const best = (): number => {
    let level = 0
    while (level < top && judged(level) && judged(level + 1) && pays(level + 1)) level++
    return level
  }
  const pays = (level: number): boolean => (findings[level]?.rowUs ?? 0) <= (findings[level - 1]?.rowUs ?? 0) * (1 - LEAST_GAIN)

  return {
    next: waiting => {
      const cap = levelOf(waiting)
      const level = best()
      if (level >= cap) return 2 ** Math.min(level, cap)
      const above = findings[level + 1]
      const tries = level < top && judged(level) && above !== undefined && runs >= above.triedUntil
      return 2 ** (tries ? level + 1 : level)
    },
    isConfirmed: size => findings[levelOf(size)]?.confirmed ?? false,
    confirm: size => {
      const finding = findings[levelOf(size)]
      if (finding !== undefined) finding.confirmed = true
    },
    record: (size, ranUs) => {
      const level = levelOf(size)
      const finding = findings[level]
      if (finding === undefined) return
      runs++
      finding.runs++
      const rowUs = ranUs / size
      // Until it is judged the shortest time counts: noise only ever adds.
      if (finding.rowUs === undefined || finding.runs <= TRIES) finding.rowUs = Math.min(finding.rowUs ?? Number.POSITIVE_INFINITY, rowUs)
      else finding.rowUs += (rowUs - finding.rowUs) * NEW_SHARE
      if (level === 0 || !judged(level) || pays(level)) return
      finding.triedUntil = runs + finding.pause
      finding.pause = Math.min(finding.pause * 2, LOOK_AGAIN.most)
    },
    limit: size => {
      top = Math.min(top, levelOf(size))
    },
    expectUs: size => {
      const known = findings.findLast((finding, level) => 2 ** level <= size && finding.rowUs !== undefined)
      return (known?.rowUs ?? 0) * size
    },
    rowTimes: () => findings.flatMap(({ rowUs }, level) => (rowUs === undefined ? [] : [[2 ** level, rowUs] as const]))
  }
}
