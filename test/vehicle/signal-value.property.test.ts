import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VEHICLE_SIGNALS } from '../../src/protocol/vehicle/signals.ts'
import { checkSignalValue, isSignalPath } from '../../src/vehicle/signal-value.ts'

const PATHS = Object.keys(VEHICLE_SIGNALS).filter(isSignalPath)

test('whatever comes, a value has its kind or is null with a problem that does not show it', () => {
  fc.assert(
    fc.property(fc.constantFrom(...PATHS), fc.anything({ withBigInt: true, withDate: true }), (path, raw) => {
      const { value, problem } = checkSignalValue(path, raw)
      if (value === null) return raw === null ? problem === undefined : problem?.startsWith(path) === true
      const { kind } = VEHICLE_SIGNALS[path]
      if (kind === 'boolean') return typeof value === 'boolean'
      if (kind === 'float' || kind === 'integer') return Number.isFinite(value)
      return typeof value === 'string'
    })
  )
})

test.each([
  ['Vehicle.Powertrain.TractionBattery.Charging.Timer.Time', '2026-03-01T07:30:00Z', true],
  ['Vehicle.Powertrain.TractionBattery.Charging.Timer.Time', '2026-03-01T07:30:00.250+01:00', true],
  ['Vehicle.Powertrain.TractionBattery.Charging.Timer.Time', '2026-03-01T07:30:00', false],
  ['Vehicle.Powertrain.TractionBattery.Charging.Timer.Time', '2026-13-01T07:30:00Z', false],
  ['Vehicle.Powertrain.TractionBattery.StateOfCharge.Current', 100, true],
  ['Vehicle.Powertrain.TractionBattery.StateOfCharge.Current', 100.5, false],
  ['Vehicle.Powertrain.TractionBattery.StateOfCharge.Current', -0.1, false],
  ['Vehicle.Powertrain.TractionBattery.Temperature.Average', -30, true],
  ['Vehicle.Powertrain.Transmission.SelectedGear', -128, true],
  ['Vehicle.Powertrain.Transmission.SelectedGear', 128, false],
  ['Vehicle.Speed', Number.POSITIVE_INFINITY, false],
  ['Vehicle.Speed', 250, true],
  ['Vehicle.LowVoltageSystemState', 'off', false]
] as const)('%s %s: %s', (path, raw, isGood) => {
  expect(checkSignalValue(path, raw).value).toBe(isGood ? raw : null)
})
