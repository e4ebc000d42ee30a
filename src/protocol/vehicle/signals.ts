/** What a signal holds: `float` and whole numbers are JavaScript numbers; `time` is an ISO 8601 text with its zone. */
export type SignalKind = 'boolean' | 'float' | 'integer' | 'text' | 'time'

interface SignalForm {
  readonly kind: SignalKind
  /** As VSS has it: `km/h`, `percent`, `kWh`, `W`, `celsius`, `V`, `s`. */
  readonly unit?: string
  /** Texts that VSS allows. */
  readonly allowed?: readonly string[]
}

const OCCUPANCY = ['UNKNOWN', 'OCCUPIED', 'EMPTY'] as const
const BOOLEAN = { kind: 'boolean' } as const
const OCCUPANCY_FORM = { kind: 'text', allowed: OCCUPANCY } as const

/** The signals a car reads, by their paths in COVESA's Vehicle Signal Specification 6.0, and the overlay for the owner's consent. */
export const VEHICLE_SIGNALS = {
  'Vehicle.IsMoving': BOOLEAN,
  'Vehicle.Speed': { kind: 'float', unit: 'km/h' },
  /** 126 Park, 127 Drive, 0 Neutral, negative: reverse. */
  'Vehicle.Powertrain.Transmission.SelectedGear': { kind: 'integer' },
  'Vehicle.Powertrain.Transmission.IsParkLockEngaged': BOOLEAN,
  'Vehicle.Chassis.ParkingBrake.IsEngaged': BOOLEAN,
  'Vehicle.LowVoltageSystemState': { kind: 'text', allowed: ['UNDEFINED', 'LOCK', 'OFF', 'ACC', 'ON', 'START'] },
  'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current': { kind: 'float', unit: 'percent' },
  'Vehicle.Powertrain.TractionBattery.StateOfCharge.CurrentEnergy': { kind: 'float', unit: 'kWh' },
  'Vehicle.Powertrain.TractionBattery.NetCapacity': { kind: 'float', unit: 'kWh' },
  'Vehicle.Powertrain.TractionBattery.CurrentPower': { kind: 'float', unit: 'W' },
  'Vehicle.Powertrain.TractionBattery.Temperature.Average': { kind: 'float', unit: 'celsius' },
  'Vehicle.Powertrain.TractionBattery.Temperature.Min': { kind: 'float', unit: 'celsius' },
  'Vehicle.Powertrain.TractionBattery.Temperature.Max': { kind: 'float', unit: 'celsius' },
  'Vehicle.Powertrain.TractionBattery.Charging.IsCharging': BOOLEAN,
  'Vehicle.Powertrain.TractionBattery.Charging.ChargeLimit': { kind: 'float', unit: 'percent' },
  'Vehicle.Powertrain.TractionBattery.Charging.TimeToComplete': { kind: 'float', unit: 's' },
  'Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected': BOOLEAN,
  'Vehicle.Powertrain.TractionBattery.Charging.Timer.Mode': { kind: 'text', allowed: ['INACTIVE', 'START_TIME', 'END_TIME'] },
  'Vehicle.Powertrain.TractionBattery.Charging.Timer.Time': { kind: 'time' },
  'Vehicle.Powertrain.TractionBattery.BatteryConditioning.TargetTime': { kind: 'time' },
  'Vehicle.ControlUnit.Central.Health.Resources.Power': { kind: 'float', unit: 'W' },
  'Vehicle.ControlUnit.Central.Health.Resources.Temperature': { kind: 'float', unit: 'celsius' },
  'Vehicle.ControlUnit.Central.Health.Resources.Utilization.CPU': { kind: 'float', unit: 'percent' },
  'Vehicle.ControlUnit.Central.Health.Resources.Utilization.Memory': { kind: 'float', unit: 'percent' },
  'Vehicle.LowVoltageBattery.CurrentVoltage': { kind: 'float', unit: 'V' },
  'Vehicle.Cabin.Door.Row1.DriverSide.IsOpen': BOOLEAN,
  'Vehicle.Cabin.Door.Row1.PassengerSide.IsOpen': BOOLEAN,
  'Vehicle.Cabin.Door.Row2.DriverSide.IsOpen': BOOLEAN,
  'Vehicle.Cabin.Door.Row2.PassengerSide.IsOpen': BOOLEAN,
  'Vehicle.Cabin.Door.Row1.DriverSide.IsLocked': BOOLEAN,
  'Vehicle.Cabin.Door.Row1.PassengerSide.IsLocked': BOOLEAN,
  'Vehicle.Cabin.Door.Row2.DriverSide.IsLocked': BOOLEAN,
  'Vehicle.Cabin.Door.Row2.PassengerSide.IsLocked': BOOLEAN,
  'Vehicle.Cabin.Seat.Row1.DriverSide.OccupancyStatus': OCCUPANCY_FORM,
  'Vehicle.Cabin.Seat.Row1.PassengerSide.OccupancyStatus': OCCUPANCY_FORM,
  'Vehicle.Cabin.Seat.Row2.DriverSide.OccupancyStatus': OCCUPANCY_FORM,
  'Vehicle.Cabin.Seat.Row2.PassengerSide.OccupancyStatus': OCCUPANCY_FORM,
  'Vehicle.Connectivity.IsConnectivityAvailable': BOOLEAN,
  /** Not in VSS: the owner's consent that the car offers inference at all. */
  'Vehicle.Motorpool.IsOptedIn': BOOLEAN
} as const satisfies Readonly<Record<string, SignalForm>>

export type SignalPath = keyof typeof VEHICLE_SIGNALS
export type SignalValue = boolean | number | string

/** The last word of one signal. */
export interface SignalReading {
  /** Null: the source has the signal, but says that it has no value or an invalid one. */
  readonly value: SignalValue | null
  /** When it arrived, on the car's own monotonic clock, ms: what a source says of its own times isn't to be trusted. */
  readonly arrivedMs: number
  /** The source's own time, ms since 1970 UTC, where it gives one. */
  readonly statedUnixMs?: number
}

/** All signals that a source has ever told, with their ages; a path that isn't there was never told. */
export type VehicleSignals = ReadonlyMap<SignalPath, SignalReading>
