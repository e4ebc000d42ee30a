import type { SignalPath } from '../protocol/vehicle/signals.ts'
import type { Stay } from './commute.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SignalChanges, TraceTimeline } from './trace-timeline.ts'

const BATTERY = 'Vehicle.Powertrain.TractionBattery'
const CHARGING = `${BATTERY}.Charging`
const CABLE = `${CHARGING}.ChargingPort.AnyPosition.IsChargingCableConnected`
const CHARGE = `${BATTERY}.StateOfCharge.Current`
const GEAR = 'Vehicle.Powertrain.Transmission.SelectedGear'
const PARK = 126
const DRIVE = 127
const DOORS = ['Row1.DriverSide', 'Row1.PassengerSide', 'Row2.DriverSide', 'Row2.PassengerSide'] as const
const DRIVER_OPEN = 'Vehicle.Cabin.Door.Row1.DriverSide.IsOpen'
const DRIVER_SEAT = 'Vehicle.Cabin.Seat.Row1.DriverSide.OccupancyStatus'
/** How often the battery tells of itself while it charges or drives: a day must stay small. */
const REPORT_S = 1800
const SPEED_REPORT_S = 240

function forDoors(value: boolean): SignalChanges {
  return Object.fromEntries(DOORS.map(door => [`Vehicle.Cabin.Door.${door}.IsLocked` as SignalPath, value]))
}

const toTenth = (value: number): number => Math.round(value * 10) / 10

/** What a car tells that doesn't change within the trace, and what holds before its first stay. */
export function tellCar(timeline: TraceTimeline, stay: Stay, atS: number): void {
  timeline.set(atS, {
    'Vehicle.Motorpool.IsOptedIn': true,
    'Vehicle.Connectivity.IsConnectivityAvailable': true,
    'Vehicle.LowVoltageBattery.CurrentVoltage': 12.6,
    'Vehicle.ControlUnit.Central.Health.Resources.Temperature': 35,
    [`${BATTERY}.NetCapacity`]: stay.capacityKwh,
    [`${CHARGING}.ChargeLimit`]: stay.chargeLimit,
    [`${BATTERY}.Temperature.Average`]: 18,
    [CABLE]: false,
    [`${CHARGING}.IsCharging`]: false,
    [`${BATTERY}.CurrentPower`]: 0,
    [`${CHARGING}.Timer.Mode`]: 'INACTIVE',
    ...forDoors(false),
    ...Object.fromEntries(DOORS.map(door => [`Vehicle.Cabin.Door.${door}.IsOpen`, false])),
    ...Object.fromEntries(DOORS.map(door => [`Vehicle.Cabin.Seat.${door}.OccupancyStatus`, 'EMPTY']))
  })
}

/** Stops, parks, lets the driver out, locks, and tells when it is to leave again. */
export function tellArrival(timeline: TraceTimeline, stay: Stay, random: SeededRandom, isoAt: (atS: number) => string): void {
  const at = stay.arriveS
  timeline.set(at, { 'Vehicle.Speed': 0, 'Vehicle.IsMoving': false, [CHARGE]: toTenth(stay.socAtArrival) })
  timeline.set(at + 2, {
    [GEAR]: PARK,
    'Vehicle.Powertrain.Transmission.IsParkLockEngaged': true,
    'Vehicle.Chassis.ParkingBrake.IsEngaged': true
  })
  timeline.set(at + 4, { 'Vehicle.LowVoltageSystemState': 'OFF' })
  const out = at + Math.round(random.between(5, 15))
  timeline.set(out, { [DRIVER_OPEN]: true })
  timeline.set(out + 2, { [DRIVER_SEAT]: 'EMPTY' })
  timeline.set(out + 5, { [DRIVER_OPEN]: false })
  timeline.set(out + 12, { ...forDoors(true), 'Vehicle.LowVoltageSystemState': 'LOCK' })
  timeline.set(out + 14, {
    [`${BATTERY}.BatteryConditioning.TargetTime`]: isoAt(stay.plannedLeaveS),
    ...(stay.pluggedFromS === null ? {} : { [`${CHARGING}.Timer.Mode`]: 'END_TIME', [`${CHARGING}.Timer.Time`]: isoAt(stay.plannedLeaveS) })
  })
}

/** From the plug to the unplugging, with what the battery tells in between. */
export function tellCharging(timeline: TraceTimeline, stay: Stay): void {
  const { pluggedFromS: from, pluggedUntilS: until, chargeKw, capacityKwh } = stay
  if (from === null || until === null) return
  const percentPerS = ((chargeKw / capacityKwh) * 100) / 3600
  const fullS = from + Math.max(0, stay.chargeLimit - stay.socAtArrival) / percentPerS
  timeline.set(from, { [CABLE]: true })
  if (fullS > from + 10) {
    timeline.set(from + 5, { [`${CHARGING}.IsCharging`]: true, [`${BATTERY}.CurrentPower`]: chargeKw * 1000, [`${BATTERY}.Temperature.Average`]: 24 })
    for (let at = from + 5; at < Math.min(fullS, until); at += REPORT_S)
      timeline.set(at, {
        [CHARGE]: toTenth(stay.socAtArrival + (at - from) * percentPerS),
        [`${CHARGING}.TimeToComplete`]: Math.round(fullS - at)
      })
    timeline.set(Math.min(fullS, until), {
      [CHARGE]: toTenth(Math.min(stay.chargeLimit, stay.socAtArrival + (Math.min(fullS, until) - from) * percentPerS)),
      [`${CHARGING}.IsCharging`]: false,
      [`${BATTERY}.CurrentPower`]: 0
    })
  }
  timeline.set(until, { [CABLE]: false })
}

/**
 * The driver comes, unplugs, gets in and drives off at `leaveS`. Of an announced departure the unlocking tells minutes
 * ahead; an unannounced one begins with the cable or the door, 20 to 60 s before the gear.
 */
export function tellDeparture(timeline: TraceTimeline, stay: Stay, random: SeededRandom): void {
  const { leaveS, announced, pluggedUntilS } = stay
  const opens = leaveS - Math.round(random.between(20, 60))
  const first = Math.min(opens, pluggedUntilS ?? opens)
  timeline.set(announced ? first - Math.round(random.between(30, 120)) : first - 1, forDoors(false))
  timeline.set(opens, { [DRIVER_OPEN]: true })
  timeline.set(opens + 4, { [DRIVER_SEAT]: 'OCCUPIED' })
  timeline.set(opens + 8, { [DRIVER_OPEN]: false, 'Vehicle.LowVoltageSystemState': 'ON' })
  timeline.set(leaveS - 2, { 'Vehicle.Powertrain.Transmission.IsParkLockEngaged': false, 'Vehicle.Chassis.ParkingBrake.IsEngaged': false })
  timeline.set(leaveS, {
    [GEAR]: DRIVE,
    [CHARGE]: toTenth(stay.socAtLeave),
    [`${BATTERY}.BatteryConditioning.TargetTime`]: null,
    [`${CHARGING}.Timer.Mode`]: 'INACTIVE',
    [`${CHARGING}.Timer.Time`]: null
  })
  timeline.set(leaveS + 2, { 'Vehicle.IsMoving': true, 'Vehicle.Speed': 8 })
}

/** Speeds between two stays. */
export function tellDrive(timeline: TraceTimeline, fromS: number, untilS: number, random: SeededRandom): void {
  for (let at = fromS + 60; at < untilS - 30; at += SPEED_REPORT_S)
    timeline.set(at, { 'Vehicle.Speed': toTenth(random.between(20, 110)), [`${BATTERY}.CurrentPower`]: -Math.round(random.between(4, 25)) * 1000 })
  timeline.set(untilS, { [`${BATTERY}.CurrentPower`]: 0 })
}
