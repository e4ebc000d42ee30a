/** What is known of a lease whose results wait for a proof; times in ms of one monotonic clock. */
export interface ProofPace {
  /** Results that wait, and since when the first of them. */
  readonly waiting: number
  readonly firstMs: number
  /** Between the first of them and the result before it. */
  readonly gapMs: number
  /** Tasks of the lease that the car has still to run. */
  readonly open: number
  /** As many of them keep every worker busy, with one more ready in each. */
  readonly enough: number
  /** The most that were lately here at once, open or waiting: the client has no fewer under way. */
  readonly most: number
  /** When a task came last, and when a root was signed last. */
  readonly cameMs: number
  readonly provenMs: number
  /** What a root costs: the write of its leaves, and the signature. */
  readonly costMs: number
}

/** A root that so many share costs each of them little; a client that wakes once for results and proofs is spared the second time. */
const SHARED_BY = 4
/** No result waits longer, ms. */
const LONGEST_MS = 40
/** In costs of a root. Measured rather than named in ms, as a root takes twenty times as long on a slow disk. */
const QUIET_COSTS = 6

/**
 * When the results of a lease that wait are to be proven. One root costs the same for one result and for many, so few wait while
 * the car has enough of the client's tasks, or more keep coming. But a client whose every task waits for its proof sends none, and
 * lets workers idle: at once where several share the root, or all that it is known to have under way waits (of one task at a
 * time, each), and soon where nothing has come for a while though the car could do more.
 */
export function proofDueMs(pace: ProofPace, nowMs: number): number {
  const { waiting, firstMs, gapMs, open, enough, most, cameMs, provenMs, costMs } = pace
  // Where results are that far apart, none would join the first.
  if (waiting >= SHARED_BY || waiting >= most || gapMs >= LONGEST_MS) return nowMs
  const latestMs = firstMs + LONGEST_MS
  return open >= enough ? latestMs : Math.min(latestMs, Math.max(cameMs, provenMs) + QUIET_COSTS * costMs)
}
