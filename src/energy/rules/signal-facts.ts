import type { SignalPath } from '../../protocol/vehicle/signals.ts'

/** How fast a signal can change for the worse: `safety` at once, `energy` within minutes, `settings` by the owner's hand. */
export type SignalClass = 'safety' | 'energy' | 'settings'

/** A reading that is older isn't believed, ms by the time of its arrival. */
export type SignalAgeLimits = Readonly<Record<SignalClass, number>>

/** A source that hears only of changes must confirm unchanged values within these. */
export const SIGNAL_AGE_LIMITS_MS: SignalAgeLimits = { safety: 60_000, energy: 300_000, settings: 26 * 3_600_000 }

interface SignalFacts {
  readonly words: string
  readonly class: SignalClass
  /** Values outside of it can't be true. */
  readonly range?: readonly [number, number]
}

const safety = (words: string): SignalFacts => ({ words, class: 'safety' })
const energy = (words: string, ...range: readonly [number, number]): SignalFacts => ({ words, class: 'energy', range })
const PERCENT = [0, 100] as const

/** What an owner calls each signal, how soon it is too old, and what it can hold. */
export const SIGNAL_FACTS: Readonly<Record<SignalPath, SignalFacts>> = {
  'Vehicle.IsMoving': safety('whether the car moves'),
  'Vehicle.Speed': { words: 'the speed', class: 'safety', range: [-100, 500] },
  'Vehicle.Powertrain.Transmission.SelectedGear': { words: 'the gear', class: 'safety', range: [-128, 127] },
  'Vehicle.Powertrain.Transmission.IsParkLockEngaged': safety('the park lock'),
  'Vehicle.Chassis.ParkingBrake.IsEngaged': safety('the parking brake'),
  'Vehicle.LowVoltageSystemState': safety('the ignition'),
  'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current': energy('the battery’s charge', ...PERCENT),
  'Vehicle.Powertrain.TractionBattery.StateOfCharge.CurrentEnergy': energy('the battery’s energy', 0, 1000),
  'Vehicle.Powertrain.TractionBattery.NetCapacity': { words: 'the battery’s capacity', class: 'settings', range: [1, 1000] },
  'Vehicle.Powertrain.TractionBattery.CurrentPower': energy('the battery’s power', -1e6, 1e6),
  'Vehicle.Powertrain.TractionBattery.Temperature.Average': energy('the battery’s temperature', -60, 120),
  'Vehicle.Powertrain.TractionBattery.Temperature.Min': energy('the battery’s lowest temperature', -60, 120),
  'Vehicle.Powertrain.TractionBattery.Temperature.Max': energy('the battery’s highest temperature', -60, 120),
  'Vehicle.Powertrain.TractionBattery.Charging.IsCharging': safety('whether the car charges'),
  'Vehicle.Powertrain.TractionBattery.Charging.ChargeLimit': { words: 'the charge limit', class: 'settings', range: PERCENT },
  'Vehicle.Powertrain.TractionBattery.Charging.TimeToComplete': energy('the time to complete charging', 0, 1e7),
  'Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected': safety('the charging cable'),
  'Vehicle.Powertrain.TractionBattery.Charging.Timer.Mode': { words: 'the charging timer', class: 'settings' },
  'Vehicle.Powertrain.TractionBattery.Charging.Timer.Time': { words: 'the charging timer’s time', class: 'settings' },
  'Vehicle.Powertrain.TractionBattery.BatteryConditioning.TargetTime': { words: 'the time that the battery is conditioned for', class: 'settings' },
  'Vehicle.ControlUnit.Central.Health.Resources.Power': energy('the computer’s power', 0, 10_000),
  'Vehicle.ControlUnit.Central.Health.Resources.Temperature': energy('the computer’s temperature', -60, 200),
  'Vehicle.ControlUnit.Central.Health.Resources.Utilization.CPU': energy('the computer’s load', ...PERCENT),
  'Vehicle.ControlUnit.Central.Health.Resources.Utilization.Memory': energy('the computer’s memory', ...PERCENT),
  'Vehicle.LowVoltageBattery.CurrentVoltage': energy('the 12 V battery’s voltage', 0, 60),
  'Vehicle.Cabin.Door.Row1.DriverSide.IsOpen': safety('the driver’s door'),
  'Vehicle.Cabin.Door.Row1.PassengerSide.IsOpen': safety('the front passenger’s door'),
  'Vehicle.Cabin.Door.Row2.DriverSide.IsOpen': safety('the rear door on the driver’s side'),
  'Vehicle.Cabin.Door.Row2.PassengerSide.IsOpen': safety('the rear door on the passenger’s side'),
  'Vehicle.Cabin.Door.Row1.DriverSide.IsLocked': safety('the lock of the driver’s door'),
  'Vehicle.Cabin.Door.Row1.PassengerSide.IsLocked': safety('the lock of the front passenger’s door'),
  'Vehicle.Cabin.Door.Row2.DriverSide.IsLocked': safety('the lock of the rear door on the driver’s side'),
  'Vehicle.Cabin.Door.Row2.PassengerSide.IsLocked': safety('the lock of the rear door on the passenger’s side'),
  'Vehicle.Cabin.Seat.Row1.DriverSide.OccupancyStatus': safety('the driver’s seat'),
  'Vehicle.Cabin.Seat.Row1.PassengerSide.OccupancyStatus': safety('the front passenger’s seat'),
  'Vehicle.Cabin.Seat.Row2.DriverSide.OccupancyStatus': safety('the rear seat on the driver’s side'),
  'Vehicle.Cabin.Seat.Row2.PassengerSide.OccupancyStatus': safety('the rear seat on the passenger’s side'),
  'Vehicle.Connectivity.IsConnectivityAvailable': safety('the car’s connection'),
  'Vehicle.Motorpool.IsOptedIn': safety('the owner’s consent')
}
