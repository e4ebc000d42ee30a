import type { SignalPath } from '../../protocol/vehicle/signals.ts'
import type { OwnerPolicy } from '../owner-policy.ts'
import { type FitnessReason, sudden } from './reason.ts'
import type { SignalDesk } from './signal-desk.ts'
import { SIGNAL_FACTS } from './signal-facts.ts'

const PARK = 126
/** Sensors of a standing car may show a little speed. */
const STANDING_KMH = 0.5

const DOORS = ['Row1.DriverSide', 'Row1.PassengerSide', 'Row2.DriverSide', 'Row2.PassengerSide'] as const

/** Why the vehicle isn't parked and left alone. */
export function parkedReasons(desk: SignalDesk, policy: OwnerPolicy): FitnessReason[] {
  return [...motionReasons(desk), ...DOORS.flatMap(place => doorReasons(desk, policy, place))]
}

function motionReasons(desk: SignalDesk): FitnessReason[] {
  const found: FitnessReason[] = []
  const gear = desk.need('Vehicle.Powertrain.Transmission.SelectedGear')
  const isMoving = desk.ask('Vehicle.IsMoving')
  // One of the two is enough, both must be right.
  const speed = isMoving === undefined ? desk.need('Vehicle.Speed') : desk.ask('Vehicle.Speed')
  const parkLock = desk.ask('Vehicle.Powertrain.Transmission.IsParkLockEngaged')
  const brake = desk.ask('Vehicle.Chassis.ParkingBrake.IsEngaged')
  const ignition = desk.ask('Vehicle.LowVoltageSystemState')
  const rolls = speed !== undefined && Math.abs(speed) > STANDING_KMH
  if (isMoving === true || rolls) found.push(sudden('moving', rolls ? `the car moves at ${Math.round(Math.abs(speed))} km/h` : 'the car moves'))
  if (isMoving !== undefined && speed !== undefined && isMoving !== rolls)
    found.push(sudden('signals-contradict', `the car says that it ${isMoving ? 'moves' : 'stands'}, but its speed is ${speed} km/h`))
  if (gear !== undefined && gear !== PARK) found.push(sudden('not-in-park', 'the gear isn’t in Park'))
  if (gear === PARK && (rolls || isMoving === true)) found.push(sudden('signals-contradict', 'the gear is in Park, but the car moves'))
  if (gear === PARK && parkLock === false && brake !== true)
    found.push(sudden('signals-contradict', 'the gear is in Park, but neither the park lock nor the parking brake holds the car'))
  if (ignition !== undefined && ignition !== 'OFF' && ignition !== 'LOCK')
    found.push(
      ignition === 'UNDEFINED' ? sudden('signal-invalid', 'the car doesn’t know whether it is switched on') : sudden('switched-on', 'the car is switched on')
    )
  return found
}

function doorReasons(desk: SignalDesk, policy: OwnerPolicy, place: (typeof DOORS)[number]): FitnessReason[] {
  const found: FitnessReason[] = []
  // Not every car has all doors and seats; each has a driver's.
  const read = place === 'Row1.DriverSide' ? desk.need : desk.ask
  const door = `Vehicle.Cabin.Door.${place}.IsOpen` as const satisfies SignalPath
  if (read(door) === true) found.push(sudden('door-open', `${SIGNAL_FACTS[door].words} is open`))
  if (policy.parked.lockedDoors && read(`Vehicle.Cabin.Door.${place}.IsLocked`) === false)
    found.push(sudden('unlocked', `${SIGNAL_FACTS[door].words} is unlocked`))
  if (!policy.parked.emptySeats) return found
  const seat = `Vehicle.Cabin.Seat.${place}.OccupancyStatus` as const satisfies SignalPath
  const occupancy = read(seat)
  if (occupancy === 'OCCUPIED') found.push(sudden('occupied', `somebody sits in ${SIGNAL_FACTS[seat].words}`))
  if (occupancy === 'UNKNOWN') found.push(sudden('signal-invalid', `the car doesn’t know whether somebody sits in ${SIGNAL_FACTS[seat].words}`))
  return found
}
