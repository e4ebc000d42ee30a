import { type Announcement, LONGEST_LENGTH_BUCKET } from '../../protocol/announcement.ts'
import type { StayBegun, StayHistory } from './stay-history.ts'
import { learnStayOdds } from './stay-survival.ts'

/** The steps that odds of staying are told in, millionths; finer ones would tell when a car leaves. */
export const STAY_STEPS = [0, 500_000, 750_000, 900_000, 950_000, 990_000] as const
export type StayStep = (typeof STAY_STEPS)[number]

/** Least odds of each step but the first: between its neighbours where each is right on average. */
const LEAST_ODDS = [0.36, 0.63, 0.86, 0.928, 0.972] as const

/** Odds as they are told. */
export function stayStep(odds: number): StayStep {
  const above = LEAST_ODDS.findLastIndex(least => odds >= least)
  return STAY_STEPS[above + 1]!
}

/** The odds, as told, that the stay which began `elapsedS` ago lasts `lengthS` more. */
export function stayOdds(history: StayHistory, now: { readonly begun: StayBegun; readonly elapsedS: number }, lengthS: number): StayStep {
  return stayStep(learnStayOdds(history, now.begun)(now.elapsedS, lengthS))
}

/** Length bucket of tasks that take this long, seconds: the least whose `bucketLengthS` is no shorter, or the longest. */
export function lengthBucket(lengthS: number): number {
  let bucket = 0
  while (bucket < LONGEST_LENGTH_BUCKET && 2 ** bucket < lengthS) bucket++
  return bucket
}

/** The longest task of a bucket, seconds. */
export function bucketLengthS(bucket: number): number {
  return 2 ** Math.min(LONGEST_LENGTH_BUCKET, Math.max(0, bucket))
}

/**
 * How far ahead a car says whether it stays, seconds: as long as it takes for the task, and never beyond what was
 * announced; else anybody could ask for when it leaves. Null when neither side knows how long the task takes.
 */
export function toldLengthS(announced: Pick<Announcement, 'lengthBucket' | 'deadlineSeconds'>, expectedS: number | null): number | null {
  if (announced.lengthBucket === null && expectedS === null) return null
  const announcedS = bucketLengthS(announced.lengthBucket ?? LONGEST_LENGTH_BUCKET)
  return Math.min(announcedS, announced.deadlineSeconds, expectedS ?? Number.POSITIVE_INFINITY)
}
