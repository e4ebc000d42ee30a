import type { SignalPath, SignalValue } from '../../protocol/vehicle/signals.ts'
import type { ToldSignal } from '../signal-board.ts'

/** Null: Tesla says that it doesn't know. Undefined: a form that isn't known here. */
type Decoded = SignalValue | null | undefined
type Decode = (value: unknown) => readonly (readonly [SignalPath, Decoded])[]

const BATTERY = 'Vehicle.Powertrain.TractionBattery'
const CABLE = `${BATTERY}.Charging.ChargingPort.AnyPosition.IsChargingCableConnected`
const DOORS = {
  DriverFront: 'Row1.DriverSide',
  PassengerFront: 'Row1.PassengerSide',
  DriverRear: 'Row2.DriverSide',
  PassengerRear: 'Row2.PassengerSide'
} as const
/** VSS: 126 Park, 127 Drive, 0 Neutral, negative reverse. */
const GEARS: Readonly<Record<string, number | null>> = { P: 126, R: -1, N: 0, D: 127, SNA: null, Invalid: null, Unknown: null }
/** Whether it charges, and whether a cable is in. */
const CHARGE_STATES: Readonly<Record<string, readonly [boolean | null, boolean | null]>> = {
  Disconnected: [false, false],
  NoPower: [false, true],
  Starting: [false, true],
  Charging: [true, true],
  Complete: [false, true],
  Stopped: [false, true],
  Unknown: [null, null]
}

/** How the fields of Tesla's fleet telemetry tell VSS signals. Firmware changes types and promises no units: what isn't sure is undefined. */
const FIELDS: Readonly<Record<string, Decode>> = {
  Gear: value => [['Vehicle.Powertrain.Transmission.SelectedGear', GEARS[enumName(value, 'ShiftState')]]],
  Soc: value => [[`${BATTERY}.StateOfCharge.Current`, numberOf(value)]],
  BatteryLevel: value => [[`${BATTERY}.StateOfCharge.Current`, numberOf(value)]],
  EnergyRemaining: value => [[`${BATTERY}.StateOfCharge.CurrentEnergy`, numberOf(value)]],
  ChargeLimitSoc: value => [[`${BATTERY}.Charging.ChargeLimit`, numberOf(value)]],
  DetailedChargeState: value => {
    const state = CHARGE_STATES[enumName(value, 'DetailedChargeState')]
    return [
      [`${BATTERY}.Charging.IsCharging`, state?.[0]],
      [CABLE, state?.[1]]
    ]
  },
  EstimatedHoursToChargeTermination: value => {
    const hours = numberOf(value)
    return [[`${BATTERY}.Charging.TimeToComplete`, hours === undefined || hours < 0 ? undefined : hours * 3600]]
  },
  ScheduledDepartureTime: value => [[`${BATTERY}.BatteryConditioning.TargetTime`, unixSecondsAsTime(numberOf(value))]],
  DoorState: value =>
    Object.entries(DOORS).map(([door, place]) => [
      `Vehicle.Cabin.Door.${place}.IsOpen`,
      booleanOf(isRecord(value) && Object.hasOwn(value, door) ? value[door] : undefined)
    ]),
  Locked: value => Object.values(DOORS).map(place => [`Vehicle.Cabin.Door.${place}.IsLocked`, booleanOf(value)]),
  DriverSeatOccupied: value => {
    const isOccupied = booleanOf(value)
    return [['Vehicle.Cabin.Seat.Row1.DriverSide.OccupancyStatus', isOccupied === undefined ? undefined : isOccupied ? 'OCCUPIED' : 'EMPTY']]
  },
  ModuleTempMin: value => [[`${BATTERY}.Temperature.Min`, numberOf(value)]],
  ModuleTempMax: value => [[`${BATTERY}.Temperature.Max`, numberOf(value)]]
}

/** A longer value is none of these fields'. */
const LONGEST_PAYLOAD = 4096

/** What a field's JSON says, as VSS has it; nothing for fields that no signal needs. An unknown form is null with a problem. */
export function decodeTeslaField(field: string, payload: string): readonly ToldSignal[] {
  const decode = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined
  if (decode === undefined) return []
  const value = parseJson(payload)
  return decode(value).map(([path, decoded]) => {
    if (value === null || decoded === null) return { path, value: null }
    return decoded === undefined ? { path, value: null, problem: `Tesla's ${field} came in an unknown form, so ${path} isn't known` } : { path, value: decoded }
  })
}

/** JSON's value; undefined when it is junk or cut off. */
export function parseJson(payload: string): unknown {
  if (payload.length > LONGEST_PAYLOAD) return undefined
  try {
    return JSON.parse(payload)
  } catch {
    return undefined
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Values of enums come with their type's name in front, or without. */
function enumName(value: unknown, prefix: string): string {
  if (typeof value !== 'string') return ''
  const name = value.startsWith(prefix) ? value.slice(prefix.length) : value
  return Object.hasOwn(GEARS, name) || Object.hasOwn(CHARGE_STATES, name) ? name : ''
}

function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}

function booleanOf(value: unknown): boolean | undefined {
  return value === true || value === 'true' ? true : value === false || value === 'false' ? false : undefined
}

/** Between 2015 and 2100: else it isn't seconds since 1970. */
function unixSecondsAsTime(seconds: number | undefined): string | undefined {
  return seconds !== undefined && seconds > 1_420_070_400 && seconds < 4_102_444_800 ? new Date(seconds * 1000).toISOString() : undefined
}
