import type { SignalPath, SignalReading, SignalValue, VehicleSignals } from '../../src/protocol/vehicle/signals.ts'

/** What a car tells that is parked, locked, empty, plugged in and fit; every signal. */
export const PARKED: Readonly<Record<SignalPath, SignalValue>> = {
  'Vehicle.IsMoving': false,
  'Vehicle.Speed': 0,
  'Vehicle.Powertrain.Transmission.SelectedGear': 126,
  'Vehicle.Powertrain.Transmission.IsParkLockEngaged': true,
  'Vehicle.Chassis.ParkingBrake.IsEngaged': true,
  'Vehicle.LowVoltageSystemState': 'OFF',
  'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current': 60,
  'Vehicle.Powertrain.TractionBattery.StateOfCharge.CurrentEnergy': 45,
  'Vehicle.Powertrain.TractionBattery.NetCapacity': 75,
  'Vehicle.Powertrain.TractionBattery.CurrentPower': 7000,
  'Vehicle.Powertrain.TractionBattery.Temperature.Average': 22,
  'Vehicle.Powertrain.TractionBattery.Temperature.Min': 20,
  'Vehicle.Powertrain.TractionBattery.Temperature.Max': 24,
  'Vehicle.Powertrain.TractionBattery.Charging.IsCharging': true,
  'Vehicle.Powertrain.TractionBattery.Charging.ChargeLimit': 90,
  'Vehicle.Powertrain.TractionBattery.Charging.TimeToComplete': 12_000,
  'Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected': true,
  'Vehicle.Powertrain.TractionBattery.Charging.Timer.Mode': 'INACTIVE',
  'Vehicle.Powertrain.TractionBattery.Charging.Timer.Time': '2026-03-02T07:30:00Z',
  'Vehicle.Powertrain.TractionBattery.BatteryConditioning.TargetTime': '2026-03-02T07:30:00+01:00',
  'Vehicle.ControlUnit.Central.Health.Resources.Power': 80,
  'Vehicle.ControlUnit.Central.Health.Resources.Temperature': 45,
  'Vehicle.ControlUnit.Central.Health.Resources.Utilization.CPU': 5,
  'Vehicle.ControlUnit.Central.Health.Resources.Utilization.Memory': 30,
  'Vehicle.LowVoltageBattery.CurrentVoltage': 12.8,
  'Vehicle.Cabin.Door.Row1.DriverSide.IsOpen': false,
  'Vehicle.Cabin.Door.Row1.PassengerSide.IsOpen': false,
  'Vehicle.Cabin.Door.Row2.DriverSide.IsOpen': false,
  'Vehicle.Cabin.Door.Row2.PassengerSide.IsOpen': false,
  'Vehicle.Cabin.Door.Row1.DriverSide.IsLocked': true,
  'Vehicle.Cabin.Door.Row1.PassengerSide.IsLocked': true,
  'Vehicle.Cabin.Door.Row2.DriverSide.IsLocked': true,
  'Vehicle.Cabin.Door.Row2.PassengerSide.IsLocked': true,
  'Vehicle.Cabin.Seat.Row1.DriverSide.OccupancyStatus': 'EMPTY',
  'Vehicle.Cabin.Seat.Row1.PassengerSide.OccupancyStatus': 'EMPTY',
  'Vehicle.Cabin.Seat.Row2.DriverSide.OccupancyStatus': 'EMPTY',
  'Vehicle.Cabin.Seat.Row2.PassengerSide.OccupancyStatus': 'EMPTY',
  'Vehicle.Connectivity.IsConnectivityAvailable': true,
  'Vehicle.Motorpool.IsOptedIn': true
}

export const PATHS = Object.keys(PARKED) as SignalPath[]

export type Told = Partial<Record<SignalPath, SignalValue | null | undefined>>

/** Signals of a parked car with some told otherwise; `undefined`: never told. */
export function signalsOf(changed: Told = {}, arrivedMs = 0): VehicleSignals {
  const signals = new Map<SignalPath, SignalReading>()
  const tell = (path: SignalPath) => {
    const value = path in changed ? changed[path] : PARKED[path]
    if (value !== undefined) signals.set(path, { value, arrivedMs })
  }
  for (const path of PATHS) tell(path)
  return signals
}
