import { contractStop, LOOK_MS, msToFloor, msUntilUsed } from './battery-contract.ts'
import type { FitnessInput } from './fitness.ts'
import { isPlausibleTime, nextWindowStart, shownTime } from './local-time.ts'
import { usageToday } from './owner-usage.ts'
import { readBattery } from './rules/read-battery.ts'
import { signalValue } from './rules/read-signals.ts'
import type { FitnessCode } from './rules/reason.ts'

export interface PlannedDeparture {
  readonly atUnixMs: number
  readonly code: FitnessCode | 'charging-timer' | 'conditioning'
  /** In words that an owner understands. */
  readonly reason: string
}

const BATTERY = 'Vehicle.Powertrain.TractionBattery'

/**
 * The earliest end of the stay that can be seen coming; null when none is. A car admits nothing that it couldn't finish
 * before. A moment that has come already is `judgeFitness`'s to tell.
 */
export function plannedDeparture(input: Omit<FitnessInput, 'nowMonotonicMs' | 'grid' | 'joined' | 'ageLimitsMs'>): PlannedDeparture | null {
  if (!isPlausibleTime(input.nowUnixMs)) return null
  const ends = [...vehicleEnds(input), ...policyEnds(input)].filter(({ atUnixMs }) => atUnixMs > input.nowUnixMs && Number.isFinite(atUnixMs))
  return ends.reduce<PlannedDeparture | null>((first, end) => (first === null || end.atUnixMs < first.atUnixMs ? end : first), null)
}

type Ends = readonly PlannedDeparture[]

/** What the driver has told the car. */
function vehicleEnds({ signals, policy }: Pick<FitnessInput, 'signals' | 'policy'>): Ends {
  const timerTime = signalValue(signals, `${BATTERY}.Charging.Timer.Time`)
  const isEnd = signalValue(signals, `${BATTERY}.Charging.Timer.Mode`) === 'END_TIME'
  const conditioned = signalValue(signals, `${BATTERY}.BatteryConditioning.TargetTime`)
  const at = (atUnixMs: number) => shownTime(atUnixMs, policy.timeZone)
  return [
    ...(isEnd && timerTime !== undefined
      ? [{ atUnixMs: timerTime, code: 'charging-timer' as const, reason: `charging is timed to end at ${at(timerTime)}` }]
      : []),
    ...(conditioned === undefined
      ? []
      : [{ atUnixMs: conditioned, code: 'conditioning' as const, reason: `the battery is conditioned for ${at(conditioned)}` }])
  ]
}

/** What the policy allows no longer than that. */
function policyEnds({
  signals,
  policy,
  nowUnixMs,
  usage,
  workWatts = 0
}: Pick<FitnessInput, 'signals' | 'policy' | 'nowUnixMs' | 'usage' | 'workWatts'>): Ends {
  const { timeZone, quietHours, contract } = policy
  const { workKwhPerDay, workPowerWatts, floorPercent } = policy.battery
  const ends: PlannedDeparture[] = []
  const quiet = timeZone === null ? null : nextWindowStart(quietHours, timeZone, nowUnixMs)
  if (quiet !== null) ends.push({ atUnixMs: quiet, code: 'quiet-hours', reason: `it is to be quiet from ${shownTime(quiet, timeZone)}` })
  const battery = readBattery(signals, policy, nowUnixMs, workWatts)
  const stop = battery === null ? null : contractStop(battery, policy, nowUnixMs)
  if (stop !== null && contract !== null && stop.stopUnixMs < stop.readyUnixMs)
    ends.push({
      atUnixMs: stop.stopUnixMs - LOOK_MS,
      code: 'contract',
      reason: `the battery is to be at ${contract.percent} % by ${shownTime(stop.readyUnixMs, timeZone)}`
    })
  if (battery !== null)
    ends.push({ atUnixMs: nowUnixMs + msToFloor(battery, floorPercent, nowUnixMs), code: 'below-floor', reason: `${floorPercent} % are kept for driving` })
  if (workKwhPerDay !== null) {
    const leftKwh = workKwhPerDay - usageToday(usage, nowUnixMs, policy).energyMj / 3.6e9
    const atUnixMs = nowUnixMs + msUntilUsed(leftKwh, workWatts > 0 ? workWatts : workPowerWatts) - LOOK_MS
    ends.push({ atUnixMs, code: 'energy-cap', reason: `${workKwhPerDay} kWh a day are used up then` })
  }
  return ends
}
