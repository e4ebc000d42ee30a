import { describe, expect, test } from 'vitest'
import { beginStay } from '../../../src/placement/stays/begin-stay.ts'
import type { SignalPath, SignalValue, VehicleSignals } from '../../../src/protocol/vehicle/signals.ts'

const CHARGING = 'Vehicle.Powertrain.TractionBattery.Charging'
const TARGET = 'Vehicle.Powertrain.TractionBattery.BatteryConditioning.TargetTime'
const MONDAY_EVENING = Date.UTC(2024, 0, 1, 17, 15)
const signalsOf = (values: Partial<Record<SignalPath, SignalValue | null>>): VehicleSignals =>
  new Map(Object.entries(values).map(([path, value]) => [path as SignalPath, { value, arrivedMs: 0 }]))
const begin = (values: Partial<Record<SignalPath, SignalValue | null>>, plannedUnixMs: readonly number[] = []) =>
  beginStay({ arrivedUnixMs: MONDAY_EVENING, nowUnixMs: MONDAY_EVENING + 60_000, zoneMinutes: 60, signals: signalsOf(values), plannedUnixMs })

describe('what is known when a stay begins', () => {
  test('is local time, weekday and plug, and nothing of the place', () => {
    const begun = begin({ [`${CHARGING}.ChargingPort.AnyPosition.IsChargingCableConnected`]: true })
    expect(begun).toEqual({ arrivalHour: 18.25, weekday: 0, isPlugged: true, plannedS: null, day: 19_723 })
    expect(begin({}).isPlugged).toBe(false)
    expect(beginStay({ arrivedUnixMs: MONDAY_EVENING, nowUnixMs: MONDAY_EVENING, zoneMinutes: 480, signals: new Map() })).toMatchObject({
      weekday: 1,
      arrivalHour: 1.25
    })
  })

  test('is the earliest plan ahead, of timers and of the policy', () => {
    const seven = '2024-01-02T07:00:00+01:00'
    const plannedS = (Date.UTC(2024, 0, 2, 6) - MONDAY_EVENING) / 1000
    expect(begin({ [TARGET]: seven }).plannedS).toBe(plannedS)
    expect(begin({ [`${CHARGING}.Timer.Mode`]: 'END_TIME', [`${CHARGING}.Timer.Time`]: seven, [TARGET]: '2024-01-02T09:00:00Z' }).plannedS).toBe(plannedS)
    expect(begin({ [TARGET]: seven }, [MONDAY_EVENING + 3_600_000]).plannedS).toBe(3600)
  })

  test.each([
    ['a timer for the start of charging', { [`${CHARGING}.Timer.Mode`]: 'START_TIME', [`${CHARGING}.Timer.Time`]: '2024-01-02T07:00:00Z' }],
    ['a time that has passed', { [TARGET]: '2024-01-01T07:00:00Z' }],
    ['a time in years', { [TARGET]: '2034-01-01T07:00:00Z' }],
    ['no time at all', { [TARGET]: 'soon' }],
    ['a value withdrawn', { [TARGET]: null }]
  ])('is no plan: %s', (_, values) => {
    expect(begin(values).plannedS).toBeNull()
  })
})
