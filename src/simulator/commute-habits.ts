import type { SeededRandom } from './seeded-random.ts'
import { DRIVING_MINUTES, type Place, STAY_VARIATION, UNANNOUNCED_SHARE } from './stay-figures.ts'

/** What makes one car's days alike, and unlike another's. */
export interface CommuteHabits {
  /** By weekday, Monday first: whether it goes to work. */
  readonly worksOn: readonly boolean[]
  /** Factor on the mean stay, by place and weekday of arrival. */
  readonly stayFactor: Readonly<Record<Place, readonly number[]>>
  readonly drivingMinutesPerDay: number
  /** Before this hour of the day it hardly ever leaves. */
  readonly wakingHour: number
  /** From this hour of the day on it goes home; before, mostly elsewhere first. */
  readonly homewardHour: number
  /** Chance of an errand on the way home. */
  readonly errandChance: number
  readonly unannouncedShare: number
  readonly capacityKwh: number
  /** Charging ends here, percent. */
  readonly chargeLimit: number
  readonly chargeKw: Readonly<Record<Place, number>>
  /** Charge that the owner wants to leave home with, percent; null: doesn't say. */
  readonly readyPercent: number | null
}

/** The part of a stay's (logarithmic) variance that is the car's and the weekday's own; the rest is chance from day to day. */
const HABIT_PART = 0.85
/** Deviation of the logarithm of a log-normal stay. */
const SIGMA = Math.sqrt(Math.log(1 + STAY_VARIATION ** 2))
/** Deviation of what is left to chance, of the logarithm. */
export const DAILY_SIGMA = SIGMA * Math.sqrt(1 - HABIT_PART)

const COMMUTERS = 0.8
const WORKING_DAY = 0.85
const CAPACITIES_KWH = [40, 52, 58, 64, 75, 77, 82, 100] as const
const WALLBOXES_KW = [3.7, 7.4, 11] as const

/** Habits of one car. */
export function drawHabits(random: SeededRandom): CommuteHabits {
  const commutes = random.chance(COMMUTERS)
  return {
    worksOn: Array.from({ length: 7 }, (_, weekday) => commutes && weekday < 5 && random.chance(WORKING_DAY)),
    stayFactor: { home: drawFactors(random), work: drawFactors(random), public: drawFactors(random), errand: drawFactors(random) },
    drivingMinutesPerDay: random.between(DRIVING_MINUTES.least, DRIVING_MINUTES.most),
    wakingHour: random.between(5.5, 8),
    homewardHour: 17 + 1.2 * truncated(random),
    errandChance: random.between(0.3, 0.9),
    unannouncedShare: random.between(UNANNOUNCED_SHARE.least, UNANNOUNCED_SHARE.most),
    capacityKwh: pick(random, CAPACITIES_KWH),
    chargeLimit: pick(random, [80, 90, 100]),
    chargeKw: { home: pick(random, WALLBOXES_KW), work: pick(random, [11, 22]), public: pick(random, [11, 22]), errand: 11 },
    readyPercent: random.chance(0.4) ? pick(random, [50, 60, 70]) : null
  }
}

/** One factor for the car, varied by weekday: half of the habit's variance each, both cut at two deviations. */
function drawFactors(random: SeededRandom): readonly number[] {
  const sigma = SIGMA * Math.sqrt(HABIT_PART / 2)
  const own = sigma * truncated(random)
  return Array.from({ length: 7 }, () => Math.exp(own + sigma * truncated(random) - SIGMA ** 2 / 2))
}

/** A normal draw within two deviations. */
export function truncated(random: SeededRandom): number {
  for (;;) {
    const drawn = random.normal()
    if (Math.abs(drawn) <= 2) return drawn
  }
}

function pick<T>(random: SeededRandom, choices: readonly T[]): T {
  return choices[Math.floor(random.uniform() * choices.length)]!
}
