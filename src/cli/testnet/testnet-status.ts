import { isAlive } from '../../testnet/process-identity.ts'
import { dayTimeS, type TestnetCar, type TestnetState } from '../../testnet/testnet-state.ts'
import type { AdminStatus } from '../admin/methods.ts'
import { formatTable, shortPeer } from '../table.ts'
import { shortCharge, shortEnergy, whereforeOf } from '../vehicle/car-words.ts'
import { shownTimeOfDay } from './scenario.ts'

/** A car of a testnet, and what its process says of itself; undefined when it says nothing. */
export interface CarNow {
  readonly car: TestnetCar
  readonly now: AdminStatus | undefined
}

/** What each car does, for people. */
export function describeTestnet(state: TestnetState, cars: readonly CarNow[], nowUnixMs: number): string {
  const rows = cars.map(({ car, now }) => [
    car.name,
    now?.peerId == null ? '–' : shortPeer(now.peerId),
    stateOf({ car, now }),
    now?.car?.running ?? 0,
    now?.car?.done ?? 0,
    now?.car?.handedBack ?? 0,
    now?.car == null ? '–' : shortEnergy(now.car.energy)
  ])
  const heading = ['car', 'peer', 'state', 'running', 'done', 'handed back', 'energy']
  if (state.day === undefined) return formatTable(heading, rows)
  const vehicles = cars.map(({ car, now }) => [
    shortCharge(now?.car?.vehicle?.batteryPercent),
    plugWord(now?.car?.vehicle?.pluggedIn),
    now === undefined ? (isAlive(car) ? 'it does not answer' : 'its process has ended') : whereforeOf(now)
  ])
  const table = formatTable(
    [...heading, 'battery', 'plugged in', 'why'],
    rows.map((row, index) => [...row, ...vehicles[index]!])
  )
  return `${describeDay(state.day, nowUnixMs)}\n\n${table}`
}

/** Which day it is and how late. */
function describeDay(day: NonNullable<TestnetState['day']>, nowUnixMs: number): string {
  const atS = dayTimeS(day, nowUnixMs)
  const time = atS >= day.untilS ? 'the day is over' : `it is ${shownTimeOfDay(atS)}`
  return `${day.scenario}, seed ${day.seed}, ${day.speed} times as fast as real time: ${time}`
}

/** Which state a car is in, in one word. */
export function stateOf({ car, now }: CarNow): string {
  if (now?.car == null) return isAlive(car) ? 'silent' : 'killed'
  const { state, vehicle } = now.car
  return state === 'away' && vehicle !== null && vehicle.reasons.length === 0 ? 'joining' : state
}

function plugWord(pluggedIn: boolean | null | undefined): string {
  return pluggedIn === true ? 'yes' : pluggedIn === false ? 'no' : '–'
}
