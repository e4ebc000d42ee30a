import type { StayBegun, StayHistory, StayRecord } from './stay-history.ts'
import { stayPrior } from './stay-prior.ts'

/** The odds that a stay which has lasted `elapsedS` lasts `lengthS` more: in [0, 1], never rising with `lengthS`. */
export type StayOdds = (elapsedS: number, lengthS: number) => number

/** A stay counts half as much after so many days: habits change with the season. */
const HALF_LIFE_DAYS = 45
/** Stays that began within about this many hours of the clock are alike. */
const HOUR_WIDTH = 0.75
const OTHER_WEEKDAY = 0.35
/** A weekday beside a day of the weekend. */
const OTHER_KIND_OF_DAY = 0.1
const OTHER_PLUG = 0.5
/** Stays that the figures of strangers count for. */
const PRIOR_STAYS = 2
/** Steepness of a past stay's own log-logistic survival: the next one like it deviates by some 15 %. */
const STEEPNESS = 11

/** Who leaves so much before the plan was not expected, seconds; who stays so much longer had no use for the plan. */
const EARLY_S = 1200
const IGNORED_S = 7200
/** Of 20 stays of a stranger, unplanned departures and ignored plans: 5 to 10 % leave unannounced. */
const PRIOR_PLANS = 20
const PRIOR_EARLY = 1.5
const PRIOR_IGNORED = 0.3
/** Width of a past deviation from a plan, and of a stranger's (which count as so many), seconds. */
const DEVIATION_WIDTH_S = 60
const BIN_S = 30
const PRIOR_DEVIATION_S = 300
const PRIOR_DEVIATIONS = 4

/**
 * What a car's past tells of the stay that has begun: P(length ≥ elapsed + t | length ≥ elapsed), from a survival curve
 * that is a kernel estimate over past stays (by arrival hour, weekday, plug and age) shrunk towards the figures of
 * strangers. A plan, when there is one, is trusted as far as this car has kept its plans.
 */
export function learnStayOdds(history: StayHistory, begun: StayBegun): StayOdds {
  const unplanned = unplannedSurvival(history, begun)
  const survival = begun.plannedS === null || !(begun.plannedS > 0) ? unplanned : plannedSurvival(history, begun, begun.plannedS, unplanned)
  return (elapsedS, lengthS) => {
    if (!(lengthS > 0)) return 1
    const elapsed = Math.max(0, elapsedS)
    const now = survival(elapsed)
    return now > 0 ? Math.min(1, Math.max(0, survival(elapsed + lengthS) / now)) : 0
  }
}

type Survival = (lengthS: number) => number

const ageWeight = (stay: StayRecord, begun: StayBegun): number => 2 ** (-Math.max(0, begun.day - stay.day) / HALF_LIFE_DAYS)
const isWeekend = (weekday: number): boolean => weekday >= 5

function unplannedSurvival(history: StayHistory, begun: StayBegun): Survival {
  const prior = stayPrior(begun.arrivalHour)
  const weighted = history.stays.map(stay => ({ lengthS: stay.lengthS, weight: alikeness(stay, begun) })).filter(({ weight }) => weight > 1e-3)
  const total = weighted.reduce((sum, { weight }) => sum + weight, PRIOR_STAYS)
  return lengthS => {
    let sum = PRIOR_STAYS * prior(lengthS)
    for (const stay of weighted) sum += stay.weight / (1 + (lengthS / stay.lengthS) ** STEEPNESS)
    return sum / total
  }
}

function alikeness(stay: StayRecord, begun: StayBegun): number {
  const apart = Math.abs(stay.arrivalHour - begun.arrivalHour)
  const hours = Math.min(apart, 24 - apart) / HOUR_WIDTH
  const day = stay.weekday === begun.weekday ? 1 : isWeekend(stay.weekday) === isWeekend(begun.weekday) ? OTHER_WEEKDAY : OTHER_KIND_OF_DAY
  return Math.exp(-(hours ** 2) / 2) * day * (stay.isPlugged === begun.isPlugged ? 1 : OTHER_PLUG) * ageWeight(stay, begun)
}

/** Kept plans end about their time, broken ones at any time before, ignored ones as if there were none. */
function plannedSurvival(history: StayHistory, begun: StayBegun, plannedS: number, unplanned: Survival): Survival {
  /** Weight by deviation in whole bins: a few bins stand for hundreds of stays. */
  const kept = new Map<number, number>()
  let [all, early, ignored, keptWeight] = [PRIOR_PLANS, PRIOR_EARLY, PRIOR_IGNORED, PRIOR_DEVIATIONS]
  for (const stay of history.stays) {
    if (stay.plannedS === null) continue
    const weight = ageWeight(stay, begun)
    const deviationS = stay.lengthS - stay.plannedS
    all += weight
    if (deviationS < -EARLY_S) early += weight
    else if (deviationS > IGNORED_S) ignored += weight
    else {
      const bin = Math.round(deviationS / BIN_S) * BIN_S
      kept.set(bin, (kept.get(bin) ?? 0) + weight)
      keptWeight += weight
    }
  }
  const breakableS = plannedS - EARLY_S
  const broken = breakableS > 0 ? early / all : 0
  const free = ignored / all
  return lengthS => {
    let keeps = PRIOR_DEVIATIONS / (1 + Math.exp((lengthS - plannedS) / PRIOR_DEVIATION_S))
    for (const [deviationS, weight] of kept) keeps += weight / (1 + Math.exp((lengthS - plannedS - deviationS) / DEVIATION_WIDTH_S))
    const breaks = breakableS > 0 ? Math.max(0, 1 - lengthS / breakableS) : 0
    return (1 - broken - free) * (keeps / keptWeight) + broken * breaks + free * unplanned(lengthS)
  }
}
