import { LOOK_MS } from '../battery-contract.ts'
import { type GridIntensity, isPresent } from '../carbon.ts'
import { shownTime, windowEnd } from '../local-time.ts'
import type { OwnerPolicy } from '../owner-policy.ts'
import { type OwnerUsage, usageToday } from '../owner-usage.ts'
import { type FitnessReason, planned, sudden } from './reason.ts'
import type { SignalDesk } from './signal-desk.ts'

/** It takes so much of the day's energy more to join than to stay. */
const JOIN_MS = 15 * 60_000
/** Bytes of the day's cap that are left for ending well. */
const LAST_BYTES = 1_000_000
/** A clock that was set back by more than this can't tell which day's caps hold. */
const CLOCK_BACK_MS = 120_000

export interface OwnerQuestion {
  readonly policy: OwnerPolicy
  readonly usage: OwnerUsage
  readonly nowUnixMs: number
  readonly workWatts: number
  readonly joined: boolean
  readonly grid?: GridIntensity
}

/** Why the owner doesn't want the car to work now. */
export function ownerReasons(desk: SignalDesk, question: OwnerQuestion): FitnessReason[] {
  const { policy, usage, nowUnixMs } = question
  const found: FitnessReason[] = []
  const consent = desk.ask('Vehicle.Motorpool.IsOptedIn')
  if (!policy.optedIn) found.push(sudden('not-opted-in', 'the owner hasn’t opted in'))
  else if (consent === false) found.push(sudden('not-opted-in', 'the owner has withdrawn the consent in the car'))
  if (desk.ask('Vehicle.Connectivity.IsConnectivityAvailable') === false) found.push(sudden('offline', 'the car has no connection'))
  if (nowUnixMs < usage.updatedUnixMs - CLOCK_BACK_MS) found.push(sudden('clock-wrong', 'the car’s clock was set back'))
  const quietUntil = policy.timeZone === null ? null : windowEnd(policy.quietHours, policy.timeZone, nowUnixMs)
  if (quietUntil !== null) found.push(planned('quiet-hours', `it is to be quiet until ${shownTime(quietUntil, policy.timeZone)}`))
  return [...found, ...capReasons(question), ...carbonReasons(question)]
}

function capReasons({ policy, usage, nowUnixMs, workWatts, joined }: OwnerQuestion): FitnessReason[] {
  const found: FitnessReason[] = []
  const { energyMj, networkBytes } = usageToday(usage, nowUnixMs, policy)
  const { workKwhPerDay, workPowerWatts } = policy.battery
  const { megabytesPerDay } = policy.network
  const spareMj = Math.max(workPowerWatts, workWatts) * (joined ? LOOK_MS : JOIN_MS)
  if (workKwhPerDay !== null && energyMj + spareMj > workKwhPerDay * 3.6e9)
    found.push(planned('energy-cap', `today’s ${workKwhPerDay} kWh of work are used up`))
  if (megabytesPerDay !== null && networkBytes + LAST_BYTES > megabytesPerDay * 1e6)
    found.push(planned('data-cap', `today’s ${megabytesPerDay} MB of network are used up`))
  return found
}

function carbonReasons({ policy, grid, nowUnixMs }: OwnerQuestion): FitnessReason[] {
  const { ceilingGramsPerKwh, kind } = policy.carbon
  if (ceilingGramsPerKwh === null) return []
  if (grid === undefined || grid.kind !== kind || !isPresent(grid, nowUnixMs))
    return [sudden('carbon', `the grid’s ${kind} carbon intensity isn’t known, and the owner has set a ceiling`)]
  if (grid.gramsPerKwh <= ceilingGramsPerKwh) return []
  return [sudden('carbon', `the grid emits ${Math.round(grid.gramsPerKwh)} g/kWh, and the owner’s ceiling is ${ceilingGramsPerKwh}`)]
}
