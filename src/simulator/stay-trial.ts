import { initialCarWork } from '../car/car-state.ts'
import { carStep } from '../car/car-step.ts'
import type { AdmissionSettings } from '../placement/stays/stay-admission.ts'
import { NO_STAYS, rememberStay, type StayBegun, type StayHistory } from '../placement/stays/stay-history.ts'
import { lengthBucket, toldLengthS } from '../placement/stays/stay-odds.ts'
import { learnStayOdds } from '../placement/stays/stay-survival.ts'
import type { LeaseId, ModelCid, PeerId, TaskId } from '../protocol/ids.ts'
import { DAY_S, drawStays, type Stay } from './commute.ts'
import { type SeededRandom, seededRandom } from './seeded-random.ts'

export interface StayTrialInit {
  readonly seed: number
  readonly cars: number
  /** Days that a car learns before tasks count, and days in which they do; it goes on learning. */
  readonly learningDays: number
  readonly days: number
  /** `departures`: cars weigh whether they stay; `none`: they take what comes, as servers do. */
  readonly weighs: 'departures' | 'none'
  /** Whether cars know the plan of their driver where there is one. */
  readonly knowsPlans: boolean
  /** @default those of a car */
  readonly admission?: AdmissionSettings
}

/** What became of the tasks that were accepted. */
export interface StayTrial {
  readonly stays: number
  readonly accepted: number
  readonly interrupted: number
  /** Seconds that the cars were parked and fit, those of them spent on tasks, and on tasks that were then interrupted. */
  readonly fitS: number
  readonly busyS: number
  readonly lostS: number
  /** By the odds that were told, millionths: tasks accepted, and those that finished undisturbed. */
  readonly byStep: ReadonlyMap<number, { readonly accepted: number; readonly finished: number }>
}

/** Tasks last from seconds to an hour, all orders of magnitude alike: models of these run times, seconds. */
export const TASK_LENGTHS_S: readonly number[] = [...Array(20).keys()].map(index => Math.round(5 * (3600 / 5) ** (index / 19)))
/** Deviation of the logarithm of a run time around its model's. */
const RUN_SIGMA = 0.1
/** A car joins when it has stood for so long, seconds. */
const JOIN_S = 60
/** Of the full queue a free car hears so many announcements, then waits for others, seconds. */
const HEARD_AT_ONCE = 32
const HEARD_AGAIN_S = 30
/** From the first sign of a driver to the gear, seconds, when nothing is unplugged before. */
const SIGN_S = 40
/** In place of a step, for tasks of cars that say nothing. */
const UNTOLD = -1
const CLIENT = 'client' as PeerId
const MODELS = TASK_LENGTHS_S.map(lengthS => `length-${lengthS}` as ModelCid)

/**
 * A fleet under a virtual clock with a queue that is always full. The cars' own steps and the odds that they learn decide
 * what is taken; the first sign of the driver ends what runs. Same arguments, same outcome.
 */
export function runStayTrial(init: StayTrialInit): StayTrial {
  const tally = { stays: 0, accepted: 0, interrupted: 0, fitS: 0, busyS: 0, lostS: 0 }
  const byStep = new Map<number, { accepted: number; finished: number }>()
  for (let car = 0; car < init.cars; car++) {
    const random = seededRandom(init.seed, car, 4)
    let history: StayHistory = NO_STAYS
    let runUs: ReadonlyMap<ModelCid, number | null> = new Map(MODELS.map(model => [model, null]))
    for (const stay of drawStays({ seed: init.seed, days: init.learningDays + init.days, car })) {
      const begun = begin(stay, init.knowsPlans)
      if (stay.arriveS >= init.learningDays * DAY_S) {
        const odds = init.weighs === 'departures' ? learnStayOdds(history, begun) : undefined
        runUs = spendStay({ init, stay, odds, runUs, random, tally, byStep })
      }
      history = rememberStay(history, begun, signOf(stay) - stay.arriveS)
    }
  }
  return { ...tally, byStep }
}

/** When the first signal tells that the car is needed: for the car that is when a stay ends. */
function signOf(stay: Stay): number {
  return Math.min(stay.pluggedUntilS ?? stay.leaveS, stay.leaveS - SIGN_S)
}

/** What a car knows when it arrives. */
export function begin(stay: Stay, knowsPlans: boolean): StayBegun {
  const day = Math.floor(stay.arriveS / DAY_S)
  return {
    arrivalHour: (stay.arriveS - day * DAY_S) / 3600,
    weekday: ((day % 7) + 7) % 7,
    isPlugged: stay.pluggedFromS !== null,
    plannedS: knowsPlans ? stay.plannedLeaveS - stay.arriveS : null,
    day
  }
}

function spendStay(init: {
  readonly init: StayTrialInit
  readonly stay: Stay
  readonly odds: ReturnType<typeof learnStayOdds> | undefined
  readonly runUs: ReadonlyMap<ModelCid, number | null>
  readonly random: SeededRandom
  readonly tally: { stays: number; accepted: number; interrupted: number; fitS: number; busyS: number; lostS: number }
  readonly byStep: Map<number, { accepted: number; finished: number }>
}): ReadonlyMap<ModelCid, number | null> {
  const { stay, odds, random, tally, byStep } = init
  const signS = signOf(stay)
  let nowS = stay.arriveS + JOIN_S
  let work = { ...initialCarWork({ slots: 1, ...(init.init.admission === undefined ? {} : { admission: init.init.admission }) }), models: new Map(init.runUs) }
  let asks = 0
  const step = (event: Parameters<typeof carStep>[1]) => {
    const [next, effects] = carStep(work, event, nowS * 1000)
    work = next
    return effects
  }
  step({ type: 'parked', models: MODELS })
  tally.stays++
  tally.fitS += Math.max(0, signS - nowS)
  while (nowS < signS) {
    const taken = hearQueue()
    if (taken === undefined) {
      nowS += HEARD_AGAIN_S
      continue
    }
    const named = { lease: `lease-${asks}` as LeaseId, task: `task-${asks}` as TaskId, attempt: 1, client: CLIENT }
    step({ type: 'awarded', lease: named.lease, client: CLIENT, model: taken.model, slots: 1 })
    const started = step({ type: 'task', ...named, deadlineMs: Number.MAX_SAFE_INTEGER, stay: taken.stay })
    if (!started.some(effect => effect.type === 'run')) throw new Error('a car that had offered took no task')
    const runS = taken.lengthS * Math.exp(RUN_SIGMA * random.normal())
    const isDone = nowS + runS <= signS
    tally.accepted++
    tally.busyS += isDone ? runS : signS - nowS
    const told = byStep.get(taken.told) ?? { accepted: 0, finished: 0 }
    byStep.set(taken.told, { accepted: told.accepted + 1, finished: told.finished + (isDone ? 1 : 0) })
    if (!isDone) {
      tally.interrupted++
      tally.lostS += signS - nowS
      break
    }
    nowS += runS
    step({ type: 'ran', ...named, ranUs: runS * 1_000_000 })
    step({ type: 'released', lease: named.lease, client: CLIENT })
  }
  nowS = signS
  step({ type: 'departing', secondsLeft: 0, reason: 'the driver comes' })
  return work.models

  /** The first announcement of the queue that the car answers. */
  function hearQueue(): { readonly model: ModelCid; readonly lengthS: number; readonly stay: number | null; readonly told: number } | undefined {
    const known = new Map<number, number>()
    for (let heard = 0; heard < HEARD_AT_ONCE; heard++) {
      const index = Math.floor(random.uniform() * MODELS.length)
      const [model, lengthS] = [MODELS[index]!, TASK_LENGTHS_S[index]!]
      const usualUs = work.models.get(model) ?? null
      const aheadS = toldLengthS({ lengthBucket: lengthBucket(lengthS), deadlineSeconds: DAY_S }, usualUs === null ? null : usualUs / 1_000_000)
      const stay = odds === undefined || aheadS === null ? null : (known.get(index) ?? odds(nowS - init.stay.arriveS, aheadS))
      if (stay !== null) known.set(index, stay)
      const effects = step({ type: 'announced', ask: `ask-${++asks}`, client: CLIENT, model, expiresMs: nowS * 1000, asksAll: false, stay })
      const offer = effects.find(effect => effect.type === 'offer')
      if (offer !== undefined) return { model, lengthS, stay, told: offer.stay ?? UNTOLD }
    }
    return undefined
  }
}
