import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type OwnerPolicy, parsePolicy } from '../../src/energy/owner-policy.ts'
import { noUsage } from '../../src/energy/owner-usage.ts'
import { runStay, type Stay } from './owner-stay.ts'

const CHARGERS = [2000, 3700, 7400] as const
// Days at which the clocks change, and plain ones.
const DAYS = ['2026-03-28', '2026-03-29', '2026-10-24', '2026-10-25', '2026-01-15', '2026-07-01']
const timeOfDay = fc.integer({ min: 4 * 60, max: 24 * 60 - 1 }).map(minute => new Date(minute * 60_000).toISOString().slice(11, 16))

const stays: fc.Arbitrary<Stay> = fc
  .record({
    day: fc.constantFrom(...DAYS),
    minute: fc.integer({ min: 0, max: 1439 }),
    hours: fc.integer({ min: 1, max: 20 }),
    pluggedIn: fc.boolean(),
    capacityKwh: fc.integer({ min: 20, max: 120 }),
    startPercent: fc.integer({ min: 5, max: 100 }),
    limitPercent: fc.integer({ min: 70, max: 100 }),
    chargerWatts: fc.constant(0),
    workWatts: fc.integer({ min: 72, max: 1000 }),
    percentSteps: fc.constantFrom(0.1, 0.5, 1)
  })
  .map(({ day, minute, hours, ...rest }) => {
    const arriveUnixMs = Date.parse(`${day}T00:00Z`) + minute * 60_000
    return { ...rest, arriveUnixMs, leaveUnixMs: arriveUnixMs + hours * 3_600_000 }
  })

const policies: fc.Arbitrary<OwnerPolicy> = fc
  .record({
    floorPercent: fc.integer({ min: 10, max: 60 }),
    pluggedInOnly: fc.boolean(),
    // One charger gives just what its owner says, so that a contract is as tight as can be.
    chargePowerWatts: fc.constantFrom(...CHARGERS),
    workKwhPerDay: fc.constantFrom(null, 0.5, 2, 10),
    contract: fc.option(fc.record({ readyAt: timeOfDay, percent: fc.integer({ min: 20, max: 70 }), marginMinutes: fc.constantFrom(0, 15) })),
    quietHours: fc.constantFrom([], [{ from: '22:00', to: '06:00' }], [{ from: '12:00', to: '13:00' }]),
    timeZone: fc.constantFrom('Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Pacific/Chatham')
  })
  .map(({ contract, quietHours, timeZone, ...battery }) => parsePolicy({ optedIn: true, timeZone, contract, quietHours, battery }))

test('over whole stays work never takes the battery below the floor, breaks a contract that an idle car keeps, or exceeds the cap', () => {
  let worked = 0
  let due = 0
  fc.assert(
    fc.property(stays, policies, fc.constantFrom(1, 1, 1.5), (drawn, policy, stronger) => {
      const stay = { ...drawn, chargerWatts: policy.battery.chargePowerWatts * stronger }
      const outcome = runStay(stay, policy, noUsage(stay.arriveUnixMs, policy))
      worked += outcome.workedMs
      due += outcome.contractsDue
      expect(outcome).toMatchObject({ floorViolations: 0, contractViolations: 0, capViolations: 0 })
      expect(outcome.joins).toBeLessThanOrEqual((stay.leaveUnixMs - stay.arriveUnixMs) / 60_000)
    }),
    { numRuns: 60 }
  )
  // The stays were worth looking at.
  expect(worked).toBeGreaterThan(10 * 3_600_000)
  expect(due).toBeGreaterThan(5)
})

test('a contract with little to spare is kept to the percent, and what there is to spare is worked', () => {
  const tight = fc.record({
    hours: fc.integer({ min: 3, max: 10 }),
    chargerWatts: fc.constantFrom(...CHARGERS),
    capacityKwh: fc.integer({ min: 40, max: 120 }),
    percent: fc.integer({ min: 50, max: 80 }),
    // In hundredths: of doubles, most draws are next to nothing.
    spareKwh: fc.integer({ min: -100, max: 800 }).map(hundredths => hundredths / 100),
    workWatts: fc.integer({ min: 300, max: 1000 }),
    percentSteps: fc.constantFrom(0.1, 0.5, 1)
  })
  const floorPercent = 10
  let worked = 0
  fc.assert(
    fc.property(tight, ({ hours, percent, spareKwh, ...rest }) => {
      const startPercent = percent - (((rest.chargerWatts / 1000) * hours - spareKwh) / rest.capacityKwh) * 100
      fc.pre(startPercent > floorPercent + 4 && startPercent < 90)
      const arriveUnixMs = Date.parse('2026-01-15T18:00Z')
      const readyUnixMs = arriveUnixMs + hours * 3_600_000
      const policy = parsePolicy({
        optedIn: true,
        timeZone: 'UTC',
        contract: { readyAt: new Date(readyUnixMs).toISOString().slice(11, 16), percent, marginMinutes: 0 },
        battery: { floorPercent, chargePowerWatts: rest.chargerWatts, workKwhPerDay: null }
      })
      const stay = { ...rest, arriveUnixMs, leaveUnixMs: readyUnixMs + 60_000, pluggedIn: true, startPercent, limitPercent: 90 }
      const outcome = runStay(stay, policy, noUsage(arriveUnixMs, policy))
      worked += outcome.workedMs
      expect(outcome).toMatchObject({ contractsDue: 1, contractViolations: 0, floorViolations: 0 })
    }),
    { numRuns: 80 }
  )
  expect(worked).toBeGreaterThan(50 * 3_600_000)
})

test('a battery without cable is worked down to the floor and never below', () => {
  const drain = fc.record({
    floorPercent: fc.integer({ min: 10, max: 60 }),
    above: fc.integer({ min: 0, max: 1000 }).map(hundredths => hundredths / 100),
    capacityKwh: fc.integer({ min: 20, max: 120 }),
    workWatts: fc.integer({ min: 300, max: 1000 }),
    percentSteps: fc.constantFrom(0.1, 0.5, 1)
  })
  fc.assert(
    fc.property(drain, ({ floorPercent, above, ...rest }) => {
      const arriveUnixMs = Date.parse('2026-01-15T18:00Z')
      const policy = parsePolicy({ optedIn: true, battery: { pluggedInOnly: false, floorPercent, workKwhPerDay: null } })
      const stay = {
        ...rest,
        arriveUnixMs,
        leaveUnixMs: arriveUnixMs + 12 * 3_600_000,
        pluggedIn: false,
        startPercent: floorPercent + above,
        limitPercent: 90,
        chargerWatts: 0
      }
      const outcome = runStay(stay, policy, noUsage(arriveUnixMs, policy))
      expect(outcome.floorViolations).toBe(0)
      expect(outcome.endPercent).toBeGreaterThanOrEqual(floorPercent - 1e-9)
      if (above > 4) expect(outcome.workedMs).toBeGreaterThan(0)
    }),
    { numRuns: 60 }
  )
})

test('a car that has a night works for as long as charging leaves time, and is ready', () => {
  const arriveUnixMs = Date.parse('2026-01-15T17:00Z')
  const stay = {
    arriveUnixMs,
    leaveUnixMs: arriveUnixMs + 14 * 3_600_000,
    pluggedIn: true,
    capacityKwh: 75,
    startPercent: 40,
    limitPercent: 80,
    chargerWatts: 3700,
    workWatts: 1000,
    percentSteps: 0.5
  }
  const policy = parsePolicy({
    optedIn: true,
    timeZone: 'Europe/Berlin',
    contract: { readyAt: '07:30', percent: 80 },
    battery: { chargePowerWatts: 3700, workKwhPerDay: null }
  })
  const outcome = runStay(stay, policy, noUsage(arriveUnixMs, policy))
  expect(outcome.contractsDue).toBe(1)
  expect(outcome.contractViolations).toBe(0)
  // 13.5 h at 3.7 kW are 50 kWh, and 30 are missing: all the night can be worked.
  expect(outcome.workedMs / outcome.possibleMs).toBeGreaterThan(0.95)
  const greedy = runStay({ ...stay, startPercent: 31 + 3, capacityKwh: 100 }, policy, noUsage(arriveUnixMs, policy))
  expect(greedy.contractViolations).toBe(0)
  expect(greedy.workedMs).toBeLessThan(5 * 3_600_000)
  expect(greedy.workedMs / greedy.possibleMs).toBeGreaterThan(0.6)
})
