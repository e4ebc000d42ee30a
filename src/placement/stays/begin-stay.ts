import type { SignalPath, VehicleSignals } from '../../protocol/vehicle/signals.ts'
import type { StayBegun } from './stay-history.ts'

const CHARGING = 'Vehicle.Powertrain.TractionBattery.Charging'
const TARGET_TIME = 'Vehicle.Powertrain.TractionBattery.BatteryConditioning.TargetTime'
/** A plan further ahead is a timer that somebody forgot. */
const LONGEST_PLAN_MS = 7 * 86_400_000
const DAY_MS = 86_400_000

/**
 * What is known of a stay from the moment it began and from the signals now; call it again when signals change, with the
 * same arrival. The plan is the earliest time ahead of: charging that is to end by (`Timer`, END_TIME), the battery or cabin
 * to be warm by (`TargetTime`), and those that the owner's policy tells.
 * @param init.arrivedUnixMs - ms since 1970 UTC
 * @param init.zoneMinutes - local time ahead of UTC at the car; it is used here and kept nowhere
 */
export function beginStay(init: {
  readonly arrivedUnixMs: number
  readonly nowUnixMs: number
  readonly zoneMinutes: number
  readonly signals: VehicleSignals
  readonly plannedUnixMs?: readonly number[]
}): StayBegun {
  const { arrivedUnixMs, nowUnixMs, zoneMinutes, signals } = init
  const told = (path: SignalPath) => signals.get(path)?.value
  const times = [told(TARGET_TIME), ...(told(`${CHARGING}.Timer.Mode`) === 'END_TIME' ? [told(`${CHARGING}.Timer.Time`)] : [])]
  const ahead = [...times.map(time => (typeof time === 'string' ? Date.parse(time) : Number.NaN)), ...(init.plannedUnixMs ?? [])].filter(
    plannedMs => plannedMs > nowUnixMs && plannedMs <= nowUnixMs + LONGEST_PLAN_MS
  )
  const localMs = arrivedUnixMs + zoneMinutes * 60_000
  const day = Math.floor(localMs / DAY_MS)
  return {
    arrivalHour: (localMs - day * DAY_MS) / 3_600_000,
    // 1 January 1970 was a Thursday.
    weekday: (((day + 3) % 7) + 7) % 7,
    isPlugged: told(`${CHARGING}.ChargingPort.AnyPosition.IsChargingCableConnected`) === true,
    plannedS: ahead.length === 0 ? null : (Math.min(...ahead) - arrivedUnixMs) / 1000,
    day
  }
}
