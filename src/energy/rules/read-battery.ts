import type { VehicleSignals } from '../../protocol/vehicle/signals.ts'
import type { BatteryState } from '../battery-contract.ts'
import type { OwnerPolicy } from '../owner-policy.ts'
import { signalValue } from './read-signals.ts'

const BATTERY = 'Vehicle.Powertrain.TractionBattery'
/** This close to its limit a battery counts as full: the charger rests, and starts again when work draws. */
const FULL_WITHIN_PERCENT = 1

/** The battery and its charger for planning; null when the car tells neither its charge nor its capacity. */
export function readBattery(signals: VehicleSignals, policy: OwnerPolicy, nowUnixMs: number, workWatts: number): BatteryState | null {
  const chargePercent = signalValue(signals, `${BATTERY}.StateOfCharge.Current`)
  const capacityKwh = signalValue(signals, `${BATTERY}.NetCapacity`) ?? policy.battery.capacityKwh
  if (chargePercent === undefined || capacityKwh === null) return null
  const charger = chargerOf(signals, policy, { nowUnixMs, workWatts, chargePercent })
  return {
    storedKwh: (chargePercent * capacityKwh) / 100,
    capacityKwh,
    chargeWatts: charger.watts,
    chargesFromUnixMs: charger.fromUnixMs,
    workWatts: Math.max(policy.battery.workPowerWatts, workWatts)
  }
}

/** The charge that the car stops at, percent. */
export function chargeLimitOf(signals: VehicleSignals, policy: OwnerPolicy): number {
  return Math.min(signalValue(signals, `${BATTERY}.Charging.ChargeLimit`) ?? 100, policy.battery.chargeLimitPercent)
}

/** Counts on no more than the owner says that the charger gives, and on nothing while it is idle without a reason. */
function chargerOf(
  signals: VehicleSignals,
  policy: OwnerPolicy,
  now: { readonly nowUnixMs: number; readonly workWatts: number; readonly chargePercent: number }
): { readonly watts: number; readonly fromUnixMs: number } {
  const none = { watts: 0, fromUnixMs: now.nowUnixMs }
  const most = policy.battery.chargePowerWatts
  if (signalValue(signals, `${BATTERY}.Charging.ChargingPort.AnyPosition.IsChargingCableConnected`) !== true) return none
  if (signalValue(signals, `${BATTERY}.Charging.IsCharging`) === true) {
    const intoBattery = signalValue(signals, `${BATTERY}.CurrentPower`)
    // The battery sees what work leaves over.
    return { watts: intoBattery === undefined ? most : Math.max(0, Math.min(most, intoBattery + now.workWatts)), fromUnixMs: now.nowUnixMs }
  }
  if (now.chargePercent >= chargeLimitOf(signals, policy) - FULL_WITHIN_PERCENT) return { watts: most, fromUnixMs: now.nowUnixMs }
  const startsAt = signalValue(signals, `${BATTERY}.Charging.Timer.Time`)
  const isTimed = signalValue(signals, `${BATTERY}.Charging.Timer.Mode`) === 'START_TIME'
  return isTimed && startsAt !== undefined && startsAt > now.nowUnixMs ? { watts: most, fromUnixMs: startsAt } : none
}
