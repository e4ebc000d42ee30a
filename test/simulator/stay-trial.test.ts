import { expect, test } from 'vitest'
import { runStayTrial, type StayTrial } from '../../src/simulator/stay-trial.ts'

const trial = (weighs: 'departures' | 'none', knowsPlans: boolean): StayTrial =>
  runStayTrial({ seed: 77, cars: 4, learningDays: 28, days: 7, weighs, knowsPlans })
const share = ({ accepted, interrupted }: StayTrial): number => interrupted / accepted
const used = ({ busyS, lostS, fitS }: StayTrial): number => (busyS - lostS) / fitS

test('cars that weigh departures are interrupted less, and waste less, than cars that take what comes', () => {
  const [planned, habits, baseline] = [trial('departures', true), trial('departures', false), trial('none', false)]
  expect(baseline.accepted).toBeGreaterThan(1000)
  for (const weighing of [planned, habits]) {
    expect(share(weighing)).toBeLessThan(share(baseline) / 2)
    expect(weighing.lostS).toBeLessThan(baseline.lostS / 2)
    expect(used(weighing)).toBeGreaterThan(used(baseline))
    expect(Math.min(...weighing.byStep.keys())).toBeGreaterThanOrEqual(900_000)
  }
  expect(planned.lostS).toBeLessThan(habits.lostS)
})

test('the same arguments give the same outcome', () => {
  expect(trial('departures', true)).toEqual(trial('departures', true))
})
