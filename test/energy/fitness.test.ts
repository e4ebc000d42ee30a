import { describe, expect, test } from 'vitest'
import { type FitnessCode, type FitnessInput, judgeFitness } from '../../src/energy/fitness.ts'
import { parsePolicy } from '../../src/energy/owner-policy.ts'
import { noUsage } from '../../src/energy/owner-usage.ts'
import { signalsOf, type Told } from './parked-signals.ts'

const NOW = Date.parse('2026-03-02T12:00:00Z')
const OWNER = 'optedIn: true\ntimeZone: Europe/Berlin\n'

function judge(changed: Told, yaml = '', more: Partial<FitnessInput> = {}) {
  const policy = parsePolicy(OWNER + yaml)
  return judgeFitness({ signals: signalsOf(changed), policy, nowMonotonicMs: 1000, nowUnixMs: NOW, usage: noUsage(NOW, policy), ...more })
}

function reasonsOf(...input: Parameters<typeof judge>) {
  const fitness = judge(...input)
  return fitness.fit ? [] : fitness.reasons
}

const B = 'Vehicle.Powertrain.TractionBattery'

test('a parked, locked, empty, charging car of an owner who opted in is fit', () => {
  expect(judge({})).toEqual({ fit: true })
})

test('settings that nobody has made are fine', () => {
  const times = { [`${B}.Charging.Timer.Mode`]: null, [`${B}.Charging.Timer.Time`]: null, [`${B}.BatteryConditioning.TargetTime`]: null }
  expect(judge({ ...times, [`${B}.Charging.ChargeLimit`]: null })).toEqual({ fit: true })
})

test('a car that lacks what not every car has is fit', () => {
  const without = [
    'Vehicle.Speed',
    'Vehicle.Cabin.Door.Row2.DriverSide.IsOpen',
    'Vehicle.Chassis.ParkingBrake.IsEngaged',
    'Vehicle.Motorpool.IsOptedIn'
  ] as const
  expect(judge(Object.fromEntries(without.map(path => [path, undefined])))).toEqual({ fit: true })
})

describe('not fit, and why in words', () => {
  const cases: readonly [Told, FitnessCode, string][] = [
    [{ 'Vehicle.Cabin.Door.Row1.DriverSide.IsOpen': true }, 'door-open', 'the driver’s door is open'],
    [{ 'Vehicle.Cabin.Door.Row2.PassengerSide.IsLocked': false }, 'unlocked', 'the rear door on the passenger’s side is unlocked'],
    [{ 'Vehicle.Cabin.Seat.Row1.DriverSide.OccupancyStatus': 'OCCUPIED' }, 'occupied', 'somebody sits in the driver’s seat'],
    [{ 'Vehicle.Cabin.Seat.Row1.DriverSide.OccupancyStatus': 'UNKNOWN' }, 'signal-invalid', 'doesn’t know whether somebody sits'],
    [{ 'Vehicle.IsMoving': true, 'Vehicle.Speed': 3 }, 'moving', 'the car moves at 3 km/h'],
    [{ 'Vehicle.Speed': 3 }, 'signals-contradict', 'says that it stands, but its speed is 3 km/h'],
    [{ 'Vehicle.IsMoving': undefined, 'Vehicle.Speed': 3 }, 'signals-contradict', 'the gear is in Park, but the car moves'],
    [{ 'Vehicle.IsMoving': undefined, 'Vehicle.Speed': undefined }, 'signal-missing', 'the car doesn’t tell the speed'],
    [{ 'Vehicle.Powertrain.Transmission.SelectedGear': 127 }, 'not-in-park', 'the gear isn’t in Park'],
    [{ 'Vehicle.Powertrain.Transmission.SelectedGear': 126.5 }, 'signal-invalid', 'nothing sensible about the gear'],
    [
      { 'Vehicle.Powertrain.Transmission.IsParkLockEngaged': false, 'Vehicle.Chassis.ParkingBrake.IsEngaged': false },
      'signals-contradict',
      'neither the park lock'
    ],
    [{ 'Vehicle.LowVoltageSystemState': 'ON' }, 'switched-on', 'the car is switched on'],
    [{ 'Vehicle.LowVoltageSystemState': 'HUM' }, 'signal-invalid', 'nothing sensible about the ignition'],
    [{ [`${B}.Charging.ChargingPort.AnyPosition.IsChargingCableConnected`]: false }, 'unplugged', 'the charging cable isn’t connected'],
    [{ [`${B}.Charging.ChargingPort.AnyPosition.IsChargingCableConnected`]: false }, 'signals-contradict', 'says that it charges, but no cable'],
    [{ [`${B}.StateOfCharge.Current`]: 20, [`${B}.StateOfCharge.CurrentEnergy`]: 15 }, 'below-floor', 'at 20 %, and 30 % are kept for driving'],
    [{ [`${B}.StateOfCharge.Current`]: 101 }, 'signal-invalid', 'nothing sensible about the battery’s charge'],
    [{ [`${B}.StateOfCharge.Current`]: Number.NaN }, 'signal-invalid', 'the battery’s charge'],
    [{ [`${B}.StateOfCharge.Current`]: null }, 'signal-invalid', 'the battery’s charge'],
    [{ [`${B}.StateOfCharge.Current`]: '60' }, 'signal-invalid', 'the battery’s charge'],
    [{ [`${B}.StateOfCharge.CurrentEnergy`]: 10 }, 'signals-contradict', 'said to be at 60 %, but to hold 10 of 75 kWh'],
    [{ [`${B}.Temperature.Min`]: 30, [`${B}.Temperature.Max`]: 20 }, 'signals-contradict', 'lowest temperature'],
    [{ [`${B}.Temperature.Max`]: 45 }, 'battery-hot', 'the battery is too hot, 45 °C'],
    [{ [`${B}.Temperature.Min`]: -8 }, 'battery-cold', 'the battery is too cold, -8 °C'],
    [{ [`${B}.Charging.Timer.Mode`]: 'END_TIME', [`${B}.Charging.Timer.Time`]: null }, 'signal-missing', 'doesn’t tell the charging timer’s time'],
    [{ [`${B}.BatteryConditioning.TargetTime`]: '2026-03-02T07:30:00' }, 'signal-invalid', 'the time that the battery is conditioned for'],
    [
      { [`${B}.Charging.Timer.Mode`]: 'START_TIME', [`${B}.Charging.Timer.Time`]: '2026-03-02T07:30:00' },
      'signal-invalid',
      'nothing sensible about the charging timer’s time'
    ],
    [{ 'Vehicle.ControlUnit.Central.Health.Resources.Temperature': 95 }, 'computer-hot', 'computer is too hot'],
    [{ 'Vehicle.ControlUnit.Central.Health.Resources.Temperature': undefined }, 'signal-missing', 'doesn’t tell the computer’s temperature'],
    [{ 'Vehicle.LowVoltageBattery.CurrentVoltage': 11.4 }, 'low-voltage', 'the 12 V battery is low, 11.4 V'],
    [{ 'Vehicle.Connectivity.IsConnectivityAvailable': false }, 'offline', 'no connection'],
    [{ 'Vehicle.Motorpool.IsOptedIn': false }, 'not-opted-in', 'withdrawn the consent']
  ]
  test.each(cases)('%j: %s', (changed, code, text) => {
    const reasons = reasonsOf(changed)
    expect(reasons.map(reason => reason.code)).toContain(code)
    expect(reasons.filter(reason => reason.code === code && reason.text.includes(text))).toHaveLength(1)
  })

  const BATTERY = 'battery: {capacityKwh: 75'
  const policies: readonly [string, Told, FitnessCode, boolean][] = [
    ['quietHours: [{from: "12:00", to: "14:00"}]', {}, 'quiet-hours', true],
    [`${BATTERY}, chargePowerWatts: 1000}\ncontract: {readyAt: "14:00", percent: 80}`, {}, 'contract', true],
    ['contract: {readyAt: "14:00", percent: 95}', {}, 'signals-contradict', false],
    ['contract: {readyAt: "07:30", percent: 60}', { [`${B}.NetCapacity`]: undefined }, 'signal-missing', false],
    ['carbon: {ceilingGramsPerKwh: 200}', {}, 'carbon', false]
  ]
  test.each(policies)('%s: %j', (yaml, changed, code, planned) => {
    expect(reasonsOf(changed, yaml)[0]).toMatchObject({ code, planned })
  })
})

test('an owner who has not opted in is told so, whatever the car tells', () => {
  expect(reasonsOf({}, '', { policy: parsePolicy('') })).toEqual([{ code: 'not-opted-in', text: 'the owner hasn’t opted in', planned: false }])
})

describe('time', () => {
  test('a safety signal is believed for a minute, a setting for a day', () => {
    expect(judge({}, '', { nowMonotonicMs: 60_000 }).fit).toBe(true)
    const codes = new Set(reasonsOf({}, '', { nowMonotonicMs: 60_001 }).map(({ code, text }) => `${code}: ${text}`))
    expect(codes).toContain('signal-stale: the car hasn’t told the gear for too long')
    expect([...codes].some(code => code.includes('charge limit') || code.includes('battery’s charge'))).toBe(false)
    expect(judge({}, '', { nowMonotonicMs: 3_600_000, ageLimitsMs: { safety: 4e6, energy: 4e6, settings: 4e6 } }).fit).toBe(true)
  })

  test('a reading from the future, a clock that was set back, and one that tells nothing mean not fit', () => {
    expect(new Set(reasonsOf({}, '', { nowMonotonicMs: -1 }).map(({ code }) => code))).toEqual(new Set(['clock-wrong']))
    const usage = { ...noUsage(NOW + 300_000, { timeZone: null }) }
    expect(reasonsOf({}, '', { usage })).toEqual([expect.objectContaining({ code: 'clock-wrong', text: 'the car’s clock was set back' })])
    expect(judge({}, '', { nowUnixMs: Number.NaN }).fit).toBe(false)
  })

  test('a source’s own time may be old, but not from the future', () => {
    const stated = (statedUnixMs: number) => new Map([...signalsOf()].map(([path, reading]) => [path, { ...reading, statedUnixMs }]))
    expect(judge({}, '', { signals: stated(NOW - 8 * 3_600_000) }).fit).toBe(true)
    expect(judge({}, '', { signals: stated(NOW + 3_600_000) }).fit).toBe(false)
    expect(judge({}, '', { signals: stated(Number.NaN) }).fit).toBe(false)
  })
})

describe('caps and ceilings', () => {
  const usage = (energyMj: number, networkBytes = 0) => ({ ...noUsage(NOW, { timeZone: 'Europe/Berlin' }), energyMj, networkBytes })

  test('the day’s energy and data end it, and begin anew the next day', () => {
    expect(reasonsOf({}, '', { usage: usage(10 * 3.6e9) })).toEqual([expect.objectContaining({ code: 'energy-cap', planned: true })])
    expect(reasonsOf({}, '', { usage: usage(0, 2e9) })).toEqual([expect.objectContaining({ code: 'data-cap', planned: true })])
    expect(judge({}, '', { usage: usage(10 * 3.6e9, 2e9), nowUnixMs: NOW + 86_400_000 }).fit).toBe(true)
    expect(judge({}, 'battery: {workKwhPerDay: null}\nnetwork: {megabytesPerDay: null}', { usage: usage(1e12, 1e12) }).fit).toBe(true)
  })

  test('average and marginal intensity are never taken for each other, nor an old one for now', () => {
    const grid = { gramsPerKwh: 150, kind: 'average', atUnixMs: NOW, isEstimated: false } as const
    const yaml = 'carbon: {ceilingGramsPerKwh: 200}'
    expect(judge({}, yaml, { grid }).fit).toBe(true)
    expect(judge({}, yaml, { grid: { ...grid, gramsPerKwh: 201 } }).fit).toBe(false)
    expect(judge({}, yaml, { grid: { ...grid, kind: 'marginal' } }).fit).toBe(false)
    expect(judge({}, yaml, { grid: { ...grid, atUnixMs: NOW - 3 * 3_600_000 } }).fit).toBe(false)
  })

  test('joining takes more than staying', () => {
    const nearFloor = { [`${B}.StateOfCharge.Current`]: 32, [`${B}.StateOfCharge.CurrentEnergy`]: 24 }
    expect([judge(nearFloor).fit, judge(nearFloor, '', { joined: true }).fit]).toEqual([false, true])
    const warm = { [`${B}.Temperature.Max`]: 39 }
    expect([judge(warm).fit, judge(warm, '', { joined: true }).fit]).toEqual([false, true])
  })
})

test('unplugged work is possible where the owner allows it, down to the floor', () => {
  const unplugged = {
    [`${B}.Charging.ChargingPort.AnyPosition.IsChargingCableConnected`]: false,
    [`${B}.Charging.IsCharging`]: false,
    [`${B}.CurrentPower`]: -300
  }
  const yaml = 'battery: {pluggedInOnly: false, floorPercent: 50}'
  expect(judge(unplugged, yaml)).toEqual({ fit: true })
  expect(reasonsOf({ ...unplugged, [`${B}.StateOfCharge.Current`]: 50.9 }, yaml, { joined: true })).toEqual([expect.objectContaining({ code: 'below-floor' })])
})
