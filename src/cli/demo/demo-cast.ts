import { MotorpoolError } from '../../protocol/errors.ts'
import { DAY_S, drawStays, type Stay } from '../../simulator/commute.ts'
import { TRACE_EPOCH_MS, writeTrace } from '../../simulator/write-trace.ts'
import type { Scenario } from '../../testnet/fleet-day.ts'
import { SCENARIO_POLICY } from '../testnet/scenario.ts'

/** Who plays in the demo: the cars of one fleet whose mornings meet. */
export interface DemoCast {
  readonly scenario: Scenario
  /** Which car, by number, leaves at the time that it told and comes back, and which leaves when nothing told of it; all others stay. */
  readonly announced: number
  readonly unannounced: number
  /** Second of the day shortly before the first of them leaves. */
  readonly morningS: number
}

/** A day in five minutes, an hour in twelve seconds: long enough to read pages in, short enough to wait for. */
const SPEED = 300
/** Cars that stay do so until evening: what isn't read by then is read by who is back. */
const DAYS = 2
const STAYING = 4
/** Most fleets have such a morning among their first hundreds. */
const FLEETS = [500, 2000, 8000] as const
const HOUR_S = 3600
const PLUGGED_SHARE = 0.9
/** Well above the reserve for driving, percent. */
const LEAST_CHARGE = 40
/** So long before the first departure the fleet goes on from the night: four seconds, of which the car needs two or three to finish its work. */
const AHEAD_S = HOUR_S / 3
/** The second departure follows the first within this. */
const APART_S = HOUR_S / 2
/** A car drains ahead of the time that it told, on a busy machine for long: the surprise must come before that. */
const SURPRISE_S = 4 * HOUR_S

interface Member {
  readonly car: number
  readonly stays: readonly Stay[]
  readonly first: Stay
}

/** Six cars of a seeded fleet of commuters, all plugged in for the night, of which one leaves as announced and one unannounced soon after. */
export function castDemo(seed: number): DemoCast {
  for (const size of FLEETS) {
    const found = castFrom(membersOf(seed, size))
    if (found !== undefined) return demoOf(seed, found)
  }
  throw new MotorpoolError('ERR_INVALID_OPTION', `no six cars of the fleet of seed ${seed} make a demo; take another seed`)
}

function membersOf(seed: number, size: number): readonly Member[] {
  const all = Array.from({ length: size }, (_, car) => ({ car, stays: drawStays({ seed, days: DAYS, car, pluggedShare: PLUGGED_SHARE }) }))
  return all.flatMap(({ car, stays }) => {
    const [first] = stays
    return first !== undefined && first.arriveS < 0 && first.pluggedFromS !== null && first.socAtArrival >= LEAST_CHARGE ? [{ car, stays, first }] : []
  })
}

interface Found {
  readonly announced: Member
  readonly unannounced: Member
  readonly staying: readonly Member[]
}

function castFrom(members: readonly Member[]): Found | undefined {
  const staying = members.filter(({ first }) => Math.min(first.leaveS, first.plannedLeaveS) > 18 * HOUR_S).slice(0, STAYING)
  if (staying.length < STAYING) return undefined
  const sudden = members.filter(({ first }) => !first.announced && first.leaveS > 8 * HOUR_S && first.plannedLeaveS > first.leaveS + SURPRISE_S)
  for (const unannounced of sudden) {
    const announced = members.find(member => comesBack(member) && isShortlyBefore(member.first, unannounced.first.leaveS))
    if (announced !== undefined) return { announced, unannounced, staying }
  }
  return undefined
}

function demoOf(seed: number, { announced, unannounced, staying }: Found): DemoCast {
  const cast = [...staying.slice(0, 1), announced, ...staying.slice(1, 2), unannounced, ...staying.slice(2)]
  const traces = cast.map(({ stays, car }) => writeTrace({ stays, seed: seed * 1000 + car, untilS: DAYS * DAY_S, glitches: 0 }))
  const day = { scenario: 'commute', seed, speed: SPEED, epochUnixMs: TRACE_EPOCH_MS, fromS: 0, untilS: DAYS * DAY_S }
  return {
    scenario: { ...day, traces, policy: SCENARIO_POLICY },
    announced: cast.indexOf(announced) + 1,
    unannounced: cast.indexOf(unannounced) + 1,
    morningS: announced.first.plannedLeaveS - AHEAD_S
  }
}

/** Whether it leaves when it said, and is plugged in at its next place within the hour, for the rest of the morning. */
function comesBack({ first, stays: [, next] }: Member): boolean {
  if (!first.announced || Math.abs(first.leaveS - first.plannedLeaveS) > 600 || next === undefined || next.pluggedFromS === null) return false
  return next.pluggedFromS < first.leaveS + HOUR_S * 0.75 && Math.min(next.leaveS, next.plannedLeaveS) > next.arriveS + 3 * HOUR_S
}

function isShortlyBefore({ plannedLeaveS }: Stay, leaveS: number): boolean {
  return plannedLeaveS < leaveS - 300 && plannedLeaveS > leaveS - APART_S
}
