import type { VehicleSignals } from '../../protocol/vehicle/signals.ts'
import { contractStop, FLOOR_MARGIN_PERCENT, LOOK_MS } from '../battery-contract.ts'
import { shownTime } from '../local-time.ts'
import type { OwnerPolicy } from '../owner-policy.ts'
import { chargeLimitOf, readBattery } from './read-battery.ts'
import { type FitnessReason, planned, sudden } from './reason.ts'
import type { SignalDesk } from './signal-desk.ts'

const BATTERY = 'Vehicle.Powertrain.TractionBattery'
/** A battery without cable that takes in more than this, W, is told wrongly. */
const CHARGING_WATTS = 1000
/** Charge and energy may be rounded and corrected for temperature, but not by more than this, percent. */
const CHARGE_DISAGREES_PERCENT = 15
/** What it takes more to join than to stay, so that charge and heat at their limit don't send the car in and out. */
const JOIN_MARGIN = { chargePercent: 2, celsius: 3, contractMs: 15 * 60_000 }

export interface BatteryQuestion {
  readonly signals: VehicleSignals
  readonly policy: OwnerPolicy
  readonly nowUnixMs: number
  readonly workWatts: number
  readonly joined: boolean
}

/** Why the battery, its charger or its owner's plans for it don't let the car work. */
export function batteryReasons(desk: SignalDesk, question: BatteryQuestion): FitnessReason[] {
  return [...cableReasons(desk, question.policy), ...chargeReasons(desk, question), ...heatReasons(desk, question)]
}

function cableReasons(desk: SignalDesk, policy: OwnerPolicy): FitnessReason[] {
  const found: FitnessReason[] = []
  const read = policy.battery.pluggedInOnly ? desk.need : desk.ask
  const isPlugged = read(`${BATTERY}.Charging.ChargingPort.AnyPosition.IsChargingCableConnected`)
  const isCharging = desk.ask(`${BATTERY}.Charging.IsCharging`)
  const intoBattery = desk.ask(`${BATTERY}.CurrentPower`)
  if (isPlugged === false && policy.battery.pluggedInOnly) found.push(sudden('unplugged', 'the charging cable isn’t connected'))
  if (isPlugged !== true && isCharging === true) found.push(sudden('signals-contradict', 'the car says that it charges, but no cable is connected'))
  if (isPlugged === false && intoBattery !== undefined && intoBattery > CHARGING_WATTS)
    found.push(sudden('signals-contradict', 'the battery takes in power, but no cable is connected'))
  return found
}

function chargeReasons(desk: SignalDesk, { signals, policy, nowUnixMs, workWatts, joined }: BatteryQuestion): FitnessReason[] {
  const found: FitnessReason[] = []
  const charge = desk.need(`${BATTERY}.StateOfCharge.Current`)
  const energyKwh = desk.ask(`${BATTERY}.StateOfCharge.CurrentEnergy`)
  const needsCapacity = policy.contract !== null && policy.battery.capacityKwh === null
  const capacityKwh = (needsCapacity ? desk.need : desk.ask)(`${BATTERY}.NetCapacity`)
  desk.ask(`${BATTERY}.Charging.ChargeLimit`)
  const timer = desk.ask(`${BATTERY}.Charging.Timer.Mode`) ?? 'INACTIVE'
  // A timer that is off may hold any time or none.
  if (timer !== 'INACTIVE') desk.need(`${BATTERY}.Charging.Timer.Time`)
  desk.ask(`${BATTERY}.BatteryConditioning.TargetTime`)
  if (charge === undefined) return found
  const floor = policy.battery.floorPercent + FLOOR_MARGIN_PERCENT
  if (charge <= (joined ? floor : floor + JOIN_MARGIN.chargePercent))
    found.push(planned('below-floor', `the battery is at ${Math.floor(charge)} %, and ${policy.battery.floorPercent} % are kept for driving`))
  if (energyKwh !== undefined && capacityKwh !== undefined && Math.abs((energyKwh / capacityKwh) * 100 - charge) > CHARGE_DISAGREES_PERCENT)
    found.push(sudden('signals-contradict', `the battery is said to be at ${Math.round(charge)} %, but to hold ${energyKwh} of ${capacityKwh} kWh`))
  const { contract } = policy
  const battery = contract === null ? null : readBattery(signals, policy, nowUnixMs, workWatts)
  const stop = battery === null ? null : contractStop(battery, policy, nowUnixMs)
  if (contract === null || stop === null) return found
  const limit = chargeLimitOf(signals, policy)
  if (limit < contract.percent) found.push(sudden('signals-contradict', `the car charges to ${limit} % only, but is to be ready at ${contract.percent} %`))
  if (stop.stopUnixMs - nowUnixMs <= (joined ? LOOK_MS : JOIN_MARGIN.contractMs))
    found.push(planned('contract', `the battery is to be at ${contract.percent} % by ${shownTime(stop.readyUnixMs, policy.timeZone)}`))
  return found
}

function heatReasons(desk: SignalDesk, { policy, joined }: BatteryQuestion): FitnessReason[] {
  const found: FitnessReason[] = []
  const { batteryMinCelsius, batteryMaxCelsius, computerMaxCelsius } = policy.temperature
  const margin = joined ? 0 : JOIN_MARGIN.celsius
  const least = desk.ask(`${BATTERY}.Temperature.Min`)
  const most = desk.ask(`${BATTERY}.Temperature.Max`)
  const isNeeded = (batteryMinCelsius !== null && least === undefined) || (batteryMaxCelsius !== null && most === undefined)
  const average = (isNeeded ? desk.need : desk.ask)(`${BATTERY}.Temperature.Average`)
  const coldest = least ?? average
  const hottest = most ?? average
  if (coldest !== undefined && hottest !== undefined && coldest > hottest)
    found.push(sudden('signals-contradict', `the battery’s lowest temperature, ${coldest} °C, is above its highest, ${hottest} °C`))
  if (batteryMinCelsius !== null && coldest !== undefined && coldest < batteryMinCelsius + margin)
    found.push(sudden('battery-cold', `the battery is too cold, ${Math.round(coldest)} °C`))
  if (batteryMaxCelsius !== null && hottest !== undefined && hottest > batteryMaxCelsius - margin)
    found.push(sudden('battery-hot', `the battery is too hot, ${Math.round(hottest)} °C`))
  const computer = computerMaxCelsius === null ? undefined : desk.need('Vehicle.ControlUnit.Central.Health.Resources.Temperature')
  if (computerMaxCelsius !== null && computer !== undefined && computer > computerMaxCelsius - margin)
    found.push(sudden('computer-hot', `the car’s computer is too hot, ${Math.round(computer)} °C`))
  const volts = policy.parked.minimumVolts === null ? undefined : desk.need('Vehicle.LowVoltageBattery.CurrentVoltage')
  if (policy.parked.minimumVolts !== null && volts !== undefined && volts < policy.parked.minimumVolts)
    found.push(sudden('low-voltage', `the 12 V battery is low, ${volts.toFixed(1)} V`))
  return found
}
