import { LIMITS } from '../../protocol/limits.ts'

/** What is known of a lease whose results are ready to go; times in ms of one monotonic clock. */
export interface ResultPace {
  /** Results that are ready, their bytes, and since when the first of them. */
  readonly held: number
  readonly heldBytes: number
  readonly heldMs: number
  /** Tasks of the lease that the car has still to run. */
  readonly open: number
  /** As many of them keep every worker busy, with one more ready in each. */
  readonly enough: number
}

/** More bytes are better on their way. */
const MOST_BYTES = 1024 * 1024

/**
 * When the results of a lease that are ready are to be sent. Each time that a car or its client wakes for one it finds its caches
 * cold, and takes twice the CPU that it takes for one of several: so results wait for each other while the workers have enough
 * of the client's tasks besides. Half of what it has here is the most, so that client and car don't wait for each other.
 */
export function resultsDueMs({ held, heldBytes, heldMs, open, enough }: ResultPace, nowMs: number): number {
  return open < enough || held >= open || heldBytes >= MOST_BYTES ? nowMs : heldMs + LIMITS.resultHeldMs
}
