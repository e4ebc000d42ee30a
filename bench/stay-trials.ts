import { ADMISSION_DEFAULTS, type AdmissionSettings } from '../src/placement/stays/stay-admission.ts'
import { runStayTrial, type StayTrial } from '../src/simulator/stay-trial.ts'

/** Fleets that nothing was tuned on. */
export const HELD_OUT_SEEDS = [9101, 9102, 9103] as const
const CARS = 20
const LEARNING_DAYS = 56
const DAYS = 28
/** Takes nearly all work, so that every step has tasks to see whether it says the truth. */
const TAKES_ALL: AdmissionSettings = { leastOdds: 0.36, interruptedShare: 1 }

/** How cars decide: by habits and the plans they know of, by habits alone, or not at all. */
export const WAYS = {
  plans: { weighs: 'departures', knowsPlans: true },
  habits: { weighs: 'departures', knowsPlans: false },
  baseline: { weighs: 'none', knowsPlans: false }
} as const
export type Way = keyof typeof WAYS

/** The held-out fleets under one way of deciding, together; `takesAll`: whatever the odds. */
export function runTrials(way: Way, options: { readonly quick: boolean; readonly takesAll?: boolean }): StayTrial {
  const trials = (options.quick ? HELD_OUT_SEEDS.slice(0, 1) : HELD_OUT_SEEDS).map(seed =>
    runStayTrial({
      ...WAYS[way],
      seed,
      cars: options.quick ? 3 : CARS,
      learningDays: LEARNING_DAYS,
      days: options.quick ? 7 : DAYS,
      admission: options.takesAll === true ? TAKES_ALL : ADMISSION_DEFAULTS
    })
  )
  return trials.reduce(together)
}

function together(left: StayTrial, right: StayTrial): StayTrial {
  const byStep = new Map(left.byStep)
  for (const [step, { accepted, finished }] of right.byStep) {
    const known = byStep.get(step) ?? { accepted: 0, finished: 0 }
    byStep.set(step, { accepted: known.accepted + accepted, finished: known.finished + finished })
  }
  return {
    stays: left.stays + right.stays,
    accepted: left.accepted + right.accepted,
    interrupted: left.interrupted + right.interrupted,
    fitS: left.fitS + right.fitS,
    busyS: left.busyS + right.busyS,
    lostS: left.lostS + right.lostS,
    byStep
  }
}
