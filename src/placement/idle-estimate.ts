import { ALL_CARS } from './suppression.ts'

/** What a client has learned of how many cars of a shard answer, beside what the cars tell of their number. */
export interface IdleEstimate {
  /** Cars that would answer if all were asked ÷ cars told. */
  readonly share: number
}

export const NOTHING_LEARNED: IdleEstimate = { share: 1 }

/** Offers at which a surprise weighs as much as what was believed: the spread of a few draws is large. */
const DOUBT = 4
/** A share beyond these is a number of cars that was told wrongly; still it is only a share. */
const LEAST_SHARE = 2 ** -10
const MOST_SHARE = 2 ** 10

/** Cars that are expected to be idle in a shard that tells to have `carsTold`. */
export function idleCars(estimate: IdleEstimate, carsTold: number): number {
  return Math.max(1, carsTold * estimate.share)
}

/** The part of all cars that has the word in at least one of the rounds: a car answers once, and each round draws anew. */
export function partAsked(thetas: readonly number[]): number {
  return 1 - thetas.reduce((unasked, theta) => unasked * (1 - Math.min(1, theta / ALL_CARS)), 1)
}

/** Learns from an announcement: so many offers came when this part of the cars had the word. */
export function learnIdle(estimate: IdleEstimate, round: { readonly carsTold: number; readonly part: number; readonly offers: number }): IdleEstimate {
  if (round.part <= 0) return estimate
  const expected = Math.max(1, round.carsTold) * estimate.share * round.part
  const trust = (round.offers + expected) / (round.offers + expected + DOUBT)
  const share = estimate.share * ((round.offers + 0.5) / (expected + 0.5)) ** trust
  return { share: Math.min(MOST_SHARE, Math.max(LEAST_SHARE, share)) }
}
