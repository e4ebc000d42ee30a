import { localMoments } from '../../src/energy/local-time.ts'
import { type OwnerPolicy, parsePolicy } from '../../src/energy/owner-policy.ts'
import { noUsage } from '../../src/energy/owner-usage.ts'
import { drawStays } from '../../src/simulator/commute.ts'
import { type SeededRandom, seededRandom } from '../../src/simulator/seeded-random.ts'
import { runStay } from '../../test/energy/owner-stay.ts'
import type { Measure, Row } from '../measure.ts'

const SEED = 5
const DAYS_PER_CAR = 10
const CARS = 1000
const QUICK_CARS = 10

/** Mondays with a change of clocks among the days after them, and without. */
const MONDAYS = ['2026-03-23T12:00Z', '2026-10-19T12:00Z', '2026-01-12T12:00Z', '2026-07-06T12:00Z'] as const
const ZONES = ['Europe/Berlin', 'Europe/London', 'America/New_York', 'Asia/Kolkata'] as const

/** The owner's promises over seeded days of commuting cars, in a closed loop of battery, fitness and gate under a virtual clock. */
export const measure: Measure = {
  name: 'owner-days',
  run: async ({ quick, tell }) => {
    const cars = quick ? QUICK_CARS : CARS
    const total = {
      workedMs: 0,
      possibleMs: 0,
      joins: 0,
      floorViolations: 0,
      contractViolations: 0,
      contractsDue: 0,
      capViolations: 0,
      pluggedMs: 0,
      parkedMs: 0
    }
    for (let car = 0; car < cars; car++) {
      runCar(car, total)
      if ((car + 1) % Math.ceil(cars / 10) === 0) tell(`${(car + 1) * DAYS_PER_CAR} days`)
    }
    const days = cars * DAYS_PER_CAR
    const row = (measure: string, value: number, more: Partial<Row> = {}): Row => ({
      measure,
      value,
      unit: 'count',
      goal: null,
      rounds: 1,
      seed: SEED,
      ...more
    })
    const never = { goal: { atMost: 0 } }
    const share = { unit: 'ratio' }
    return [
      row(`minutes of work that ended below the owner’s floor, ${days} days`, total.floorViolations, never),
      row('contracts broken that an idle car would have kept', total.contractViolations, {
        ...never,
        note: `of ${total.contractsDue} that fell due while parked`
      }),
      row('minutes of work above the day’s cap', total.capViolations, never),
      row('work done ÷ work possible for an omniscient owner without margins', total.workedMs / total.possibleMs, share),
      row('hours worked per car and day', total.workedMs / 3.6e6 / days, {
        unit: 'h',
        note: `of ${(total.pluggedMs / 3.6e6 / days).toFixed(1)} h plugged in and ${(total.parkedMs / 3.6e6 / days).toFixed(1)} h parked`
      }),
      row('joins per car and day', total.joins / days)
    ]
  }
}

type Total = Record<
  'workedMs' | 'possibleMs' | 'joins' | 'floorViolations' | 'contractViolations' | 'contractsDue' | 'capViolations' | 'pluggedMs' | 'parkedMs',
  number
>

/** Days of one car; work of one stay is missing from the battery at the next. */
function runCar(car: number, total: Total): void {
  const random = seededRandom(SEED, car, 7)
  const policy = drawPolicy(random)
  const zone = policy.timeZone ?? 'UTC'
  const midnight = localMoments('00:00', zone, Date.parse(pick(random, MONDAYS)), 0).first
  const workWatts = Math.round(random.between(72, policy.battery.workPowerWatts))
  const percentSteps = pick(random, [0.1, 0.5, 1])
  const stays = drawStays({ seed: SEED, car, days: DAYS_PER_CAR, pluggedShare: pick(random, [0.125, 0.5, 0.9]) }).filter(({ arriveS }) => arriveS >= 0)
  const minute = (seconds: number) => midnight + Math.round(seconds / 60) * 60_000
  let missingPercent = 0
  let usage = noUsage(midnight, policy)
  for (const stay of stays) {
    const arriveUnixMs = minute(stay.arriveS)
    const leaveUnixMs = minute(stay.leaveS)
    const pluggedIn = stay.pluggedFromS !== null
    const startPercent = Math.max(0, stay.socAtArrival - missingPercent)
    total.parkedMs += leaveUnixMs - arriveUnixMs
    if (pluggedIn) total.pluggedMs += leaveUnixMs - arriveUnixMs
    // Without a cable such an owner's car never works, which the property tests of fitness hold.
    if (!pluggedIn && policy.battery.pluggedInOnly) continue
    const { capacityKwh, chargeLimit: limitPercent, chargeKw } = stay
    const outcome = runStay(
      { arriveUnixMs, leaveUnixMs, pluggedIn, capacityKwh, startPercent, limitPercent, chargerWatts: chargeKw * 1000, workWatts, percentSteps },
      policy,
      usage
    )
    usage = outcome.usage
    missingPercent = Math.max(0, stay.socAtLeave - outcome.endPercent)
    for (const key of ['workedMs', 'possibleMs', 'joins', 'floorViolations', 'contractViolations', 'contractsDue', 'capViolations'] as const)
      total[key] += outcome[key]
  }
}

function drawPolicy(random: SeededRandom): OwnerPolicy {
  const readyAt = `0${Math.floor(random.between(5, 10))}:${pick(random, ['00', '15', '30', '45'])}`
  return parsePolicy({
    optedIn: true,
    timeZone: pick(random, ZONES),
    battery: {
      pluggedInOnly: random.chance(0.7),
      floorPercent: Math.round(random.between(15, 55)),
      // Never more than the weakest of its chargers gives, as docs/policy.md asks for.
      chargePowerWatts: pick(random, [2000, 3700]),
      workKwhPerDay: pick(random, [null, 2, 10])
    },
    contract: random.chance(0.8) ? { readyAt, percent: pick(random, [50, 60, 70, 80]) } : null,
    quietHours: random.chance(0.3) ? [{ from: '22:00', to: '06:00' }] : []
  })
}

function pick<T>(random: SeededRandom, values: readonly T[]): T {
  return values[Math.floor(random.uniform() * values.length)]!
}
