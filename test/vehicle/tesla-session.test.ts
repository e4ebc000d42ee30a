import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeTeslaField } from '../../src/vehicle/tesla/tesla-fields.ts'
import { type TeslaMessage, type TeslaSession, teslaStep, UNHEARD } from '../../src/vehicle/tesla/tesla-session.ts'

const CABLE = 'Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected'
const CHARGING = 'Vehicle.Powertrain.TractionBattery.Charging.IsCharging'
const told = (field: string, value: unknown) => Object.fromEntries(decodeTeslaField(field, JSON.stringify(value)).map(signal => [signal.path, signal.value]))
const problems = (field: string, payload: string) => decodeTeslaField(field, payload).flatMap(({ problem }) => problem ?? [])

describe('a field of the telemetry', () => {
  test.each([
    ['Gear', 'ShiftStateP', { 'Vehicle.Powertrain.Transmission.SelectedGear': 126 }],
    ['Gear', 'R', { 'Vehicle.Powertrain.Transmission.SelectedGear': -1 }],
    ['Gear', 'ShiftStateSNA', { 'Vehicle.Powertrain.Transmission.SelectedGear': null }],
    ['DetailedChargeState', 'DetailedChargeStateDisconnected', { [CHARGING]: false, [CABLE]: false }],
    ['DetailedChargeState', 'DetailedChargeStateNoPower', { [CHARGING]: false, [CABLE]: true }],
    ['DetailedChargeState', 'Charging', { [CHARGING]: true, [CABLE]: true }],
    ['DetailedChargeState', 'DetailedChargeStateUnknown', { [CHARGING]: null, [CABLE]: null }],
    ['DetailedChargeState', null, { [CHARGING]: null, [CABLE]: null }],
    ['Soc', '81.5', { 'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current': 81.5 }],
    ['ModuleTempMax', 31, { 'Vehicle.Powertrain.TractionBattery.Temperature.Max': 31 }],
    ['EstimatedHoursToChargeTermination', 1.5, { 'Vehicle.Powertrain.TractionBattery.Charging.TimeToComplete': 5400 }],
    ['ScheduledDepartureTime', 1_767_254_400, { 'Vehicle.Powertrain.TractionBattery.BatteryConditioning.TargetTime': '2026-01-01T08:00:00.000Z' }],
    ['DriverSeatOccupied', 'true', { 'Vehicle.Cabin.Seat.Row1.DriverSide.OccupancyStatus': 'OCCUPIED' }],
    ['SentryMode', 'SentryModeStateArmed', {}],
    ['toString', 'x', {}]
  ])('%s = %s', (field, value, expected) => {
    expect(told(field, value)).toEqual(expected)
    expect(problems(field, JSON.stringify(value))).toEqual([])
  })

  test('DoorState tells each door; one that is left out is not known', () => {
    const doors = { DriverFront: false, DriverRear: false, PassengerFront: true, TrunkFront: false, TrunkRear: false }
    expect(told('DoorState', doors)).toEqual({
      'Vehicle.Cabin.Door.Row1.DriverSide.IsOpen': false,
      'Vehicle.Cabin.Door.Row1.PassengerSide.IsOpen': true,
      'Vehicle.Cabin.Door.Row2.DriverSide.IsOpen': false,
      'Vehicle.Cabin.Door.Row2.PassengerSide.IsOpen': null
    })
    expect(problems('DoorState', JSON.stringify(doors))).toHaveLength(1)
  })

  test('Locked is said of every door', () => {
    expect(Object.values(told('Locked', true))).toEqual([true, true, true, true])
  })

  test('whatever comes gives no value of another kind, and never throws', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('Gear', 'Soc', 'DoorState', 'Locked', 'ScheduledDepartureTime', '__proto__'),
        fc.oneof(fc.string(), fc.json()),
        (field, payload) => decodeTeslaField(field, payload).every(({ value }) => value === null || ['boolean', 'number', 'string'].includes(typeof value))
      )
    )
  })
})

/** The session and the effects after messages. */
function play(messages: readonly TeslaMessage[]): { session: TeslaSession; effects: string[] } {
  let session = UNHEARD
  const effects = messages.map(message => {
    const [next, effect] = teslaStep(session, message)
    session = next
    return effect.type === 'tell' ? `tell${effect.isFresh ? ' anew' : ''} ${effect.told.length}` : effect.type
  })
  return { session, effects }
}

const connectivity = (status: string, id?: string): TeslaMessage => ({ type: 'connectivity', payload: JSON.stringify({ Status: status, ConnectionId: id }) })
const gear: TeslaMessage = { type: 'field', field: 'Gear', payload: '"ShiftStateP"' }
const field = (name: string, payload: string): TeslaMessage => ({ type: 'field', field: name, payload })

describe('a car’s connection', () => {
  test('begins with whatever comes first', () => {
    expect(play([gear, connectivity('CONNECTED', 'a'), gear]).effects).toEqual(['tell anew 1', 'tell 1', 'tell 1'])
    expect(play([connectivity('CONNECTED', 'a'), gear]).effects).toEqual(['tell anew 1', 'tell 1'])
  })

  test('of another id forgets what the earlier one told', () => {
    expect(play([connectivity('CONNECTED', 'a'), gear, connectivity('CONNECTED', 'b')]).effects).toEqual(['tell anew 1', 'tell 1', 'tell anew 1'])
  })

  test('is not ended by the late word of an earlier one', () => {
    const { session, effects } = play([connectivity('CONNECTED', 'b'), gear, connectivity('DISCONNECTED', 'a')])
    expect(effects.at(-1)).toBe('ignore')
    expect(session.isConnected).toBe(true)
  })

  test.each([connectivity('DISCONNECTED', 'a'), connectivity('DISCONNECTED'), connectivity('dozing', 'a'), { type: 'silence' } as const])(
    'is lost by %o',
    message => {
      const { session, effects } = play([connectivity('CONNECTED', 'a'), gear, message])
      expect(effects.at(-1)).toBe('lose')
      expect(session).toEqual(UNHEARD)
    }
  )

  test('keeps Soc when BatteryLevel comes after it, and takes BatteryLevel when there is no other', () => {
    expect(play([field('Soc', '80'), field('BatteryLevel', '79')]).effects).toEqual(['tell anew 1', 'tell 0'])
    expect(play([field('BatteryLevel', '79'), field('Soc', '80')]).effects).toEqual(['tell anew 1', 'tell 1'])
  })
})
