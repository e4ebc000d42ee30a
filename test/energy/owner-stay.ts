import { type BatteryState, contractStop } from '../../src/energy/battery-contract.ts'
import { judgeFitness } from '../../src/energy/fitness.ts'
import { CLOSED_GATE, stepFitnessGate } from '../../src/energy/fitness-gate.ts'
import { windowEnd } from '../../src/energy/local-time.ts'
import type { OwnerPolicy } from '../../src/energy/owner-policy.ts'
import { addUsage, type OwnerUsage, usageToday } from '../../src/energy/owner-usage.ts'
import type { Told } from './parked-signals.ts'
import { signalsOf } from './parked-signals.ts'

const B = 'Vehicle.Powertrain.TractionBattery'
const TICK_MS = 60_000

/** One time parked, as the vehicle really is; times are whole minutes. */
export interface Stay {
  readonly arriveUnixMs: number
  readonly leaveUnixMs: number
  readonly pluggedIn: boolean
  readonly capacityKwh: number
  readonly startPercent: number
  readonly limitPercent: number
  /** What the charger really gives, W. */
  readonly chargerWatts: number
  /** What work really draws, W. */
  readonly workWatts: number
  /** Steps in which the car's state of charge is told. */
  readonly percentSteps: number
}

/** What happened; times in ms, energy in kWh. */
export interface StayOutcome {
  readonly workedMs: number
  readonly possibleMs: number
  readonly joins: number
  readonly floorViolations: number
  readonly contractViolations: number
  readonly contractsDue: number
  readonly usage: OwnerUsage
  readonly capViolations: number
  readonly endPercent: number
}

/** The battery after `ms` of charging and working, kWh. */
function flow(stay: Stay, storedKwh: number, ms: number, works: boolean): number {
  const drawn = ((works ? stay.workWatts : 0) * ms) / 3.6e9
  const given = stay.pluggedIn ? (stay.chargerWatts * ms) / 3.6e9 : 0
  // The charger stops at the limit, and only feeds what is drawn there.
  const mostKwh = Math.max((stay.limitPercent * stay.capacityKwh) / 100, storedKwh)
  return Math.min(mostKwh, storedKwh + given - drawn)
}

/**
 * A stay in a closed loop under a virtual clock: what the car tells goes through fitness and gate, and what these decide
 * drains the battery. Beside it run a battery that never works, which tells whether a contract could be kept at all, and
 * an omniscient owner's car without margins, which tells how much work was possible.
 */
export function runStay(stay: Stay, policy: OwnerPolicy, before: OwnerUsage): StayOutcome {
  const { capacityKwh } = stay
  const floorKwh = (policy.battery.floorPercent * capacityKwh) / 100
  let [storedKwh, idleKwh, oracleKwh] = Array<number>(3).fill((stay.startPercent * capacityKwh) / 100) as [number, number, number]
  let [gate, usage, oracleUsage] = [CLOSED_GATE, before, before]
  const outcome = { workedMs: 0, possibleMs: 0, joins: 0, floorViolations: 0, contractViolations: 0, contractsDue: 0, capViolations: 0 }
  for (let now = stay.arriveUnixMs; now < stay.leaveUnixMs; now += TICK_MS) {
    const clockMs = now - stay.arriveUnixMs
    const fitness = judgeFitness({
      signals: signalsOf(told(stay, storedKwh, gate.joined), clockMs),
      policy,
      nowMonotonicMs: clockMs,
      nowUnixMs: now,
      usage,
      joined: gate.joined,
      workWatts: gate.joined ? stay.workWatts : 0
    })
    const [next, change] = stepFitnessGate(gate, fitness, clockMs)
    gate = next
    if (change === 'join') outcome.joins++
    const ready = isDue(policy, now + TICK_MS)
    const length = Math.min(TICK_MS, stay.leaveUnixMs - now)
    const oracleWorks = oracleMayWork(stay, policy, oracleKwh, oracleUsage, now, length)
    storedKwh = flow(stay, storedKwh, length, gate.joined)
    idleKwh = flow(stay, idleKwh, length, false)
    oracleKwh = flow(stay, oracleKwh, length, oracleWorks)
    if (gate.joined) {
      outcome.workedMs += length
      usage = addUsage(usage, { energyMj: Math.round(stay.workWatts * length) }, now, policy)
      if (storedKwh < floorKwh) outcome.floorViolations++
      if (policy.battery.workKwhPerDay !== null && usage.energyMj > policy.battery.workKwhPerDay * 3.6e9) outcome.capViolations++
    }
    if (oracleWorks) {
      outcome.possibleMs += length
      oracleUsage = addUsage(oracleUsage, { energyMj: Math.round(stay.workWatts * length) }, now, policy)
    }
    if (ready && now + TICK_MS <= stay.leaveUnixMs && policy.contract !== null) {
      const targetKwh = (policy.contract.percent * capacityKwh) / 100
      outcome.contractsDue++
      // What even an idle car can't keep isn't broken by work, unless work makes it worse.
      if (storedKwh < Math.min(targetKwh, idleKwh) - 1e-9) outcome.contractViolations++
    }
  }
  return { ...outcome, usage, endPercent: (storedKwh / capacityKwh) * 100 }
}

function told(stay: Stay, storedKwh: number, works: boolean): Told {
  const percent = (storedKwh / stay.capacityKwh) * 100
  const isFull = percent >= stay.limitPercent - 0.05
  const shown = Math.min(100, Math.max(0, Math.round(percent / stay.percentSteps) * stay.percentSteps))
  const isCharging = stay.pluggedIn && !isFull
  return {
    [`${B}.StateOfCharge.Current`]: shown,
    [`${B}.StateOfCharge.CurrentEnergy`]: undefined,
    [`${B}.NetCapacity`]: stay.capacityKwh,
    [`${B}.Charging.ChargeLimit`]: stay.limitPercent,
    [`${B}.Charging.IsCharging`]: isCharging,
    [`${B}.Charging.ChargingPort.AnyPosition.IsChargingCableConnected`]: stay.pluggedIn,
    [`${B}.CurrentPower`]: (isCharging ? stay.chargerWatts : 0) - (works && !(stay.pluggedIn && isFull) ? stay.workWatts : 0)
  }
}

const clocks = new Map<string, Intl.DateTimeFormat>()

/** Whether the contract's time is now, by the platform's own calendar instead of the one under test. */
function isDue({ contract, timeZone }: OwnerPolicy, now: number): boolean {
  // Zones differ by whole quarters of an hour: at other minutes the slow question is spared.
  if (contract === null || timeZone === null || (now / 60_000 - Number(contract.readyAt.slice(3))) % 15 !== 0) return false
  const clock = clocks.get(timeZone) ?? new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' })
  clocks.set(timeZone, clock)
  return clock.format(now) === contract.readyAt
}

function oracleMayWork(stay: Stay, policy: OwnerPolicy, storedKwh: number, usage: OwnerUsage, now: number, lengthMs: number): boolean {
  const { battery, contract, timeZone, quietHours } = policy
  if (!stay.pluggedIn && battery.pluggedInOnly) return false
  if (timeZone !== null && windowEnd(quietHours, timeZone, now) !== null) return false
  if (flow(stay, storedKwh, lengthMs, true) < (battery.floorPercent * stay.capacityKwh) / 100) return false
  const usedMj = usageToday(usage, now, policy).energyMj
  if (battery.workKwhPerDay !== null && usedMj + stay.workWatts * lengthMs > battery.workKwhPerDay * 3.6e9) return false
  if (contract === null) return true
  const state: BatteryState = {
    storedKwh,
    capacityKwh: stay.capacityKwh,
    chargeWatts: stay.pluggedIn ? stay.chargerWatts : 0,
    chargesFromUnixMs: now,
    workWatts: stay.workWatts
  }
  const stop = contractStop(state, { contract: { ...contract, percent: contract.percent - 0.5, marginMinutes: 0 }, timeZone }, now)
  return stop === null || stop.stopUnixMs >= now + lengthMs
}
