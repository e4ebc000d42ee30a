import fc from 'fast-check'
import { expect, test } from 'vitest'
import { judgeFitness } from '../../src/energy/fitness.ts'
import { parsePolicy } from '../../src/energy/owner-policy.ts'
import { noUsage } from '../../src/energy/owner-usage.ts'
import type { SignalPath, SignalReading, SignalValue } from '../../src/protocol/vehicle/signals.ts'
import { PARKED, PATHS, signalsOf } from './parked-signals.ts'

const NOW = Date.parse('2026-03-02T12:00:00Z')
const policy = parsePolicy('optedIn: true')
const judge = (signals: ReadonlyMap<SignalPath, SignalReading>) =>
  judgeFitness({ signals, policy, nowMonotonicMs: 600_000, nowUnixMs: NOW, usage: noUsage(NOW, policy) })

/** Signals without which nobody knows that the car is parked and left alone, and what each says then. */
const SAFETY = PATHS.filter(
  path =>
    /Door|Seat|SelectedGear|IsMoving|Speed|CableConnected|LowVoltageSystemState|IsOptedIn|IsParkLockEngaged/.test(path) &&
    path !== 'Vehicle.Powertrain.Transmission.IsParkLockEngaged'
)
const REQUIRED: readonly SignalPath[] = [
  'Vehicle.Powertrain.Transmission.SelectedGear',
  'Vehicle.Cabin.Door.Row1.DriverSide.IsOpen',
  'Vehicle.Cabin.Door.Row1.DriverSide.IsLocked',
  'Vehicle.Cabin.Seat.Row1.DriverSide.OccupancyStatus',
  'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current',
  'Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected',
  'Vehicle.ControlUnit.Central.Health.Resources.Temperature',
  'Vehicle.LowVoltageBattery.CurrentVoltage'
]

/** A value that isn't the safe one: of any type, half of them of the right type. */
const badValue = (path: SignalPath): fc.Arbitrary<SignalValue | null> => {
  const safe = PARKED[path]
  const sameType: fc.Arbitrary<SignalValue> =
    typeof safe === 'boolean'
      ? fc.constant(!safe)
      : typeof safe === 'number'
        ? fc.oneof(fc.integer({ min: 2, max: 125 }), fc.double({ min: 1 }))
        : fc.constantFrom('ON', 'START', 'OCCUPIED', 'UNKNOWN')
  return fc
    .oneof(sameType, fc.boolean(), fc.double(), fc.string(), fc.constant(null))
    .filter(
      value => value !== safe && !(typeof value === 'number' && Math.abs(value) <= 0.5) && !(path === 'Vehicle.LowVoltageSystemState' && value === 'LOCK')
    )
}

const badReading = fc.constantFrom(...SAFETY).chain(path =>
  fc.tuple(
    fc.constant(path),
    fc.oneof(
      badValue(path).map((value): SignalReading => ({ value, arrivedMs: 600_000 })),
      fc.integer({ min: 0, max: 539_999 }).map((arrivedMs): SignalReading => ({ value: PARKED[path], arrivedMs })),
      fc.constantFrom(600_001, 1e12, Number.NaN, Number.POSITIVE_INFINITY).map((arrivedMs): SignalReading => ({ value: PARKED[path], arrivedMs }))
    )
  )
)

test('never fit while any safety signal is bad, whatever the others say, and every reason is named', () => {
  fc.assert(
    fc.property(
      badReading,
      fc.array(fc.tuple(fc.constantFrom(...PATHS), fc.oneof(fc.boolean(), fc.double(), fc.string(), fc.constant(null)))),
      ([path, reading], noise) => {
        const signals = new Map(signalsOf({}, 600_000))
        for (const [other, value] of noise) signals.set(other, { value, arrivedMs: 599_000 })
        signals.set(path, reading)
        const fitness = judge(signals)
        expect(fitness.fit).toBe(false)
        if (!fitness.fit) for (const { text, code } of fitness.reasons) expect(text.length * code.length).toBeGreaterThan(0)
      }
    ),
    { numRuns: 2000 }
  )
})

test('never fit while a signal that is needed was never told', () => {
  fc.assert(
    fc.property(fc.subarray([...REQUIRED], { minLength: 1 }), gone => {
      const fitness = judge(signalsOf(Object.fromEntries(gone.map(path => [path, undefined])), 600_000))
      expect(!fitness.fit && fitness.reasons.filter(({ code }) => code === 'signal-missing').length).toBe(gone.length)
    })
  )
})

test('any signals at all get an answer, and only an answer without reasons is fit', () => {
  const reading = fc.record({
    value: fc.oneof(fc.boolean(), fc.double(), fc.string(), fc.constant(null)),
    arrivedMs: fc.double(),
    statedUnixMs: fc.option(fc.double(), { nil: undefined })
  })
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...PATHS), reading)), fc.double(), fc.double(), (readings, nowMonotonicMs, nowUnixMs) => {
      const fitness = judgeFitness({ signals: new Map(readings), policy, nowMonotonicMs, nowUnixMs, usage: noUsage(NOW, policy) })
      expect(fitness.fit || fitness.reasons.length > 0).toBe(true)
    }),
    { numRuns: 1000 }
  )
})
