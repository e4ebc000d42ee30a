import type { Clock } from '../../protocol/signer.ts'
import type { SignalPath, SignalValue, VehicleSignals } from '../../protocol/vehicle/signals.ts'

/** The time of day where the vehicle is: a trace may play it, and faster than real time. When readings arrive is real time still. */
export interface VehicleClock extends Clock {
  /** @default 1 */
  readonly rate?: number
}

const BATTERY = 'Vehicle.Powertrain.TractionBattery'

/** State of charge; null when it isn't told. */
export function batteryPercent(signals: VehicleSignals): number | null {
  const value = toldValue(signals, `${BATTERY}.StateOfCharge.Current`)
  return typeof value === 'number' ? value : null
}

/** Whether the charging cable is in; null when it isn't told. */
export function isPluggedIn(signals: VehicleSignals): boolean | null {
  const value = toldValue(signals, `${BATTERY}.Charging.ChargingPort.AnyPosition.IsChargingCableConnected`)
  return typeof value === 'boolean' ? value : null
}

/** The computer's power as the vehicle tells it, W, unless it is older than `oldestMs`. */
export function computerWatts(signals: VehicleSignals, nowMs: number, oldestMs: number): number | null {
  const reading = signals.get('Vehicle.ControlUnit.Central.Health.Resources.Power')
  return typeof reading?.value === 'number' && nowMs - reading.arrivedMs <= oldestMs ? reading.value : null
}

function toldValue(signals: VehicleSignals, path: SignalPath): SignalValue | null {
  return signals.get(path)?.value ?? null
}
