import { expect, test } from 'vitest'
import { type BatteryState, contractStop, msToFloor } from '../../src/energy/battery-contract.ts'
import { plannedDeparture } from '../../src/energy/departure-forecast.ts'
import { parsePolicy } from '../../src/energy/owner-policy.ts'
import { addUsage, noUsage } from '../../src/energy/owner-usage.ts'
import { signalsOf, type Told } from './parked-signals.ts'

const B = 'Vehicle.Powertrain.TractionBattery'
const NOW = Date.parse('2026-03-02T18:00:00Z')
const HOUR_MS = 3_600_000
const NO_TIMES: Told = { [`${B}.BatteryConditioning.TargetTime`]: undefined }

function forecast(changed: Told, yaml = '', usedKwh = 0, workWatts?: number) {
  const policy = parsePolicy(`timeZone: Europe/Berlin\n${yaml}`)
  const usage = addUsage(noUsage(NOW, policy), { energyMj: usedKwh * 3.6e9 }, NOW, policy)
  const end = plannedDeparture({ signals: signalsOf({ ...NO_TIMES, ...changed }), policy, nowUnixMs: NOW, usage, workWatts })
  return end === null ? null : `${end.code} in ${((end.atUnixMs - NOW) / HOUR_MS).toFixed(2)} h: ${end.reason}`
}

const OPEN = 'battery: {workKwhPerDay: null, capacityKwh: 75}'

test.each<[string, Told, string, string | null]>([
  ['nothing planned', {}, OPEN, null],
  [
    'the charging timer’s end',
    { [`${B}.Charging.Timer.Mode`]: 'END_TIME', [`${B}.Charging.Timer.Time`]: '2026-03-02T23:00:00Z' },
    OPEN,
    'charging-timer in 5.00 h: charging is timed to end at 00:00'
  ],
  ['a timer that starts charging is no end', { [`${B}.Charging.Timer.Mode`]: 'START_TIME', [`${B}.Charging.Timer.Time`]: '2026-03-02T23:00:00Z' }, OPEN, null],
  ['a timer in the past is none', { [`${B}.Charging.Timer.Mode`]: 'END_TIME', [`${B}.Charging.Timer.Time`]: '2026-03-01T23:00:00Z' }, OPEN, null],
  ['a time without zone is none', { [`${B}.BatteryConditioning.TargetTime`]: '2026-03-03T07:30:00' }, OPEN, null],
  [
    'conditioning',
    { [`${B}.BatteryConditioning.TargetTime`]: '2026-03-03T07:30:00+01:00' },
    OPEN,
    'conditioning in 12.50 h: the battery is conditioned for 07:30'
  ],
  ['quiet hours', {}, `${OPEN}\nquietHours: [{from: "22:00", to: "06:00"}]`, 'quiet-hours in 3.00 h: it is to be quiet from 22:00'],
  ['the day’s energy, a minute before it is used up', {}, 'battery: {workKwhPerDay: 4}', 'energy-cap in 3.98 h: 4 kWh a day are used up then'],
  [
    'the floor, when unplugged',
    { [`${B}.Charging.ChargingPort.AnyPosition.IsChargingCableConnected`]: false, [`${B}.Charging.IsCharging`]: false },
    'battery: {pluggedInOnly: false, floorPercent: 49, workKwhPerDay: null}',
    'below-floor in 7.50 h: 49 % are kept for driving'
  ]
])('foretells %s', (_, changed, yaml, expected) => {
  expect(forecast(changed, yaml)).toBe(expected)
})

test('the earliest of several ends counts, at the present draw', () => {
  const yaml = 'battery: {workKwhPerDay: 4}\nquietHours: [{from: "22:00", to: "06:00"}]'
  expect(forecast({}, yaml)).toMatch(/^quiet-hours/)
  expect(forecast({}, yaml, 2)).toMatch(/^energy-cap in 1.98 h/)
  expect(forecast({}, yaml, 2, 500)).toMatch(/^quiet-hours/)
})

test('a contract counts the charge time: what work draws must be charged again', () => {
  // 13.25 h until a quarter before 07:30 at 2 kW are 26.5 kWh, 22.5 + 0.375 are missing for 90 %: 4 kWh to spare, at 1 kW.
  const yaml = `${OPEN}\ncontract: {readyAt: "08:30", percent: 90}`
  const told = { [`${B}.Charging.ChargeLimit`]: 100 }
  expect(forecast(told, yaml)).toBe('contract in 3.61 h: the battery is to be at 90 % by 08:30')
  // The charger that is measured is weaker than the owner said: the work's own 1 kW is part of what it gives.
  expect(forecast({ ...told, [`${B}.CurrentPower`]: 800 }, yaml, 0, 1000)).toBe('contract in 0.96 h: the battery is to be at 90 % by 08:30')
})

test('a charger that begins later gives less, and one that rests without a reason nothing', () => {
  const state: BatteryState = { storedKwh: 45, capacityKwh: 75, chargeWatts: 10_000, chargesFromUnixMs: NOW, workWatts: 1000 }
  const policy = parsePolicy('timeZone: UTC\ncontract: {readyAt: "20:00", percent: 70, marginMinutes: 0}')
  const spareHours = (battery: BatteryState) => (contractStop(battery, policy, NOW)!.stopUnixMs - NOW) / HOUR_MS
  expect(spareHours(state)).toBeCloseTo(45 + 20 - 52.875, 6)
  expect(spareHours({ ...state, chargesFromUnixMs: NOW + HOUR_MS })).toBeCloseTo(45 + 10 - 52.875, 6)
  expect(spareHours({ ...state, chargeWatts: 0 })).toBe(0)
  expect(contractStop(state, parsePolicy(''), NOW)).toBeNull()
})

test('the floor is never reached while the charger gives what work draws', () => {
  const state: BatteryState = { storedKwh: 45, capacityKwh: 75, chargeWatts: 1000, chargesFromUnixMs: NOW, workWatts: 1000 }
  expect(msToFloor(state, 30, NOW)).toBe(Number.POSITIVE_INFINITY)
  expect(msToFloor({ ...state, chargeWatts: 0 }, 30, NOW) / HOUR_MS).toBeCloseTo(45 - 23.25, 6)
  expect(msToFloor(state, 60, NOW)).toBe(0)
})

test('usage adds up within a day, begins anew on the next, and not when a clock goes back', () => {
  const zone = { timeZone: 'Europe/Berlin' }
  const late = Date.parse('2026-03-02T22:59Z')
  const first = addUsage(noUsage(late, zone), { energyMj: 5, networkBytes: 7 }, late, zone)
  expect(addUsage(first, { energyMj: 1 }, late + 59_000, zone)).toMatchObject({ day: '2026-03-02', energyMj: 6, networkBytes: 7 })
  const next = addUsage(first, { energyMj: 1 }, late + 60_000, zone)
  expect(next).toMatchObject({ day: '2026-03-03', energyMj: 1, networkBytes: 0 })
  expect(addUsage(next, { energyMj: 1 }, late, zone)).toMatchObject({ day: '2026-03-03', energyMj: 2, updatedUnixMs: late + 60_000 })
})
