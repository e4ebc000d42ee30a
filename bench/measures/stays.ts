import type { StayTrial } from '../../src/simulator/stay-trial.ts'
import type { Measure, Row } from '../measure.ts'
import { HELD_OUT_SEEDS, runTrials, type Way } from '../stay-trials.ts'

const DECIDES: Readonly<Record<Way, string>> = {
  plans: 'cars that know habits and plans',
  habits: 'cars that know habits alone',
  baseline: 'cars that ignore departures'
}
const STEPS = [500_000, 750_000, 950_000, 990_000] as const

/**
 * Whether odds of staying say the truth, and what they give: fleets of commuters under a virtual clock, the car's own steps,
 * tasks of 5 s to 1 h (all orders of magnitude alike), the queue always full. The first sign of the driver interrupts.
 */
export const measure: Measure = {
  name: 'stays',
  run: async ({ quick, tell }) => {
    const rows: Row[] = []
    for (const way of ['plans', 'habits', 'baseline'] as const) {
      tell(`  ${DECIDES[way]}`)
      rows.push(...rowsOf(way, runTrials(way, { quick }), quick))
      if (way !== 'baseline') rows.push(...otherSteps(way, runTrials(way, { quick, takesAll: true }), quick))
    }
    return rows
  }
}

const shapeOf = (quick: boolean) => ({ unit: '%', rounds: quick ? 1 : HELD_OUT_SEEDS.length, seed: HELD_OUT_SEEDS[0] })

function rowsOf(way: Way, trial: StayTrial, quick: boolean): readonly Row[] {
  const shape = shapeOf(quick)
  const atNine = trial.byStep.get(900_000) ?? { accepted: 0, finished: 0 }
  const isGoal = way !== 'baseline'
  return [
    ...(isGoal
      ? [
          {
            ...shape,
            measure: `tasks finished undisturbed of those accepted at 0.9, ${DECIDES[way]}`,
            value: percent(atNine.finished, atNine.accepted),
            goal: { atLeast: 87, atMost: 93 },
            note: `${atNine.accepted} tasks`
          }
        ]
      : []),
    {
      ...shape,
      measure: `accepted tasks that a departure interrupts, ${DECIDES[way]}`,
      value: percent(trial.interrupted, trial.accepted),
      goal: isGoal ? { atMost: 1 } : null,
      note: `${trial.accepted} tasks of 5 s to 1 h; ${percent(trial.interrupted, trial.stays).toFixed(0)} % of stays ended in one`
    },
    {
      ...shape,
      measure: `parked, fit time spent on tasks that were finished, ${DECIDES[way]}`,
      value: percent(trial.busyS - trial.lostS, trial.fitS),
      goal: isGoal ? { atLeast: 90 } : null,
      note: `the queue is always full; ${percent(trial.lostS, trial.fitS).toFixed(1)} % went into tasks that were interrupted`
    }
  ]
}

function otherSteps(way: Way, trial: StayTrial, quick: boolean): readonly Row[] {
  return STEPS.map(step => {
    const { accepted, finished } = trial.byStep.get(step) ?? { accepted: 0, finished: 0 }
    return {
      ...shapeOf(quick),
      measure: `tasks finished undisturbed of those told ${step / 1_000_000}, ${DECIDES[way]}`,
      value: percent(finished, accepted),
      goal: null,
      note: `${accepted} tasks; cars that take all from 0.5 on`
    }
  })
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole
}
