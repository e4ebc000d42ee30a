import { nextLocalTime } from './local-time.ts'
import type { OwnerPolicy } from './owner-policy.ts'

/** What planning needs to know of the battery and its charger. */
export interface BatteryState {
  readonly storedKwh: number
  readonly capacityKwh: number
  /** What the charger gives from `chargesFromUnixMs` on, whether or not work takes part of it; 0 when none can be counted on, W. */
  readonly chargeWatts: number
  readonly chargesFromUnixMs: number
  /** What work is planned to draw, W. */
  readonly workWatts: number
}

export interface ContractStop {
  /** The latest moment to stop drawing; not after `nowUnixMs`: stop now. */
  readonly stopUnixMs: number
  readonly readyUnixMs: number
}

/** Work goes on for up to this long between two looks: what it draws meanwhile must be to spare. */
export const LOOK_MS = 60_000
/** Readings of charge are this coarse: the car stops this much above the floor, percent of capacity. */
export const FLOOR_MARGIN_PERCENT = 1

/**
 * When work must stop so that the battery holds the contract's charge in time. Whatever work draws is missing from the
 * battery or from the charger alike, so the latest moment is where the energy to spare is used up. Null without a contract.
 */
export function contractStop(battery: BatteryState, policy: Pick<OwnerPolicy, 'contract' | 'timeZone'>, nowUnixMs: number): ContractStop | null {
  const { contract, timeZone } = policy
  if (contract === null || timeZone === null) return null
  const readyUnixMs = nextLocalTime(contract.readyAt, timeZone, nowUnixMs)
  const chargingMs = Math.max(0, readyUnixMs - contract.marginMinutes * 60_000 - Math.max(nowUnixMs, battery.chargesFromUnixMs))
  const targetKwh = ((contract.percent + FLOOR_MARGIN_PERCENT / 2) * battery.capacityKwh) / 100
  const spareKwh = battery.storedKwh + kwhOf(battery.chargeWatts, chargingMs) - targetKwh
  return { stopUnixMs: nowUnixMs + msUntilUsed(spareKwh, battery.workWatts), readyUnixMs }
}

/** How long work may go on before the battery is at the floor, ms; endless while the charger gives what work draws. */
export function msToFloor(battery: BatteryState, floorPercent: number, nowUnixMs: number): number {
  const spareKwh = battery.storedKwh - ((floorPercent + FLOOR_MARGIN_PERCENT) * battery.capacityKwh) / 100
  const charges = battery.chargesFromUnixMs <= nowUnixMs ? battery.chargeWatts : 0
  return spareKwh <= 0 ? 0 : msUntilUsed(spareKwh, battery.workWatts - charges)
}

/** How long energy lasts at a power, ms; endless when nothing is drawn. */
export function msUntilUsed(kwh: number, watts: number): number {
  if (kwh <= 0) return 0
  return watts <= 0 ? Number.POSITIVE_INFINITY : (kwh / watts) * 3.6e9
}

function kwhOf(watts: number, ms: number): number {
  return (watts * ms) / 3.6e9
}
