import { InvalidArgumentError } from 'commander'
import { closest } from 'fastest-levenshtein'
import { DAY_S, drawStays } from '../../simulator/commute.ts'
import { TRACE_EPOCH_MS, writeTrace } from '../../simulator/write-trace.ts'
import type { Scenario } from '../../testnet/fleet-day.ts'

export interface ScenarioInit {
  readonly name: ScenarioName
  readonly cars: number
  readonly seed: number
  readonly speed: number
  /** Second of the day to begin at. */
  readonly fromS: number
}

const SCENARIOS = ['commute'] as const
export type ScenarioName = (typeof SCENARIOS)[number]

/** Owners who are paid plug in nearly always when they can; without that, few cars of a small fleet would work. */
const PLUGGED_SHARE = 0.9
/** Times that a car's signals go wrong in its day. */
const GLITCHES = 3

/** Volunteers with safe defaults: plugged in only, a reserve for driving, locked and empty. The traces live in UTC. */
export const SCENARIO_POLICY = 'optedIn: true\ntimeZone: UTC\nprice: { electricityPerKwh: 0, marginPercent: 0 }\n'

/** A Monday in the life of a fleet of commuters; the same seed gives the same days. */
export function commuteScenario({ name, cars, seed, speed, fromS }: ScenarioInit): Scenario {
  const traces = Array.from({ length: cars }, (_, car) => {
    const stays = drawStays({ seed, days: 1, car, pluggedShare: PLUGGED_SHARE })
    return writeTrace({ stays, seed: seed * 1000 + car, glitches: GLITCHES })
  })
  return { scenario: name, seed, speed, epochUnixMs: TRACE_EPOCH_MS, fromS, untilS: DAY_S, traces, policy: SCENARIO_POLICY }
}

export function scenarioName(text: string): ScenarioName {
  const found = SCENARIOS.find(name => name === text)
  if (found === undefined) throw new InvalidArgumentError(`there is no such scenario; did you mean ${closest(text, [...SCENARIOS])}?`)
  return found
}

/** Faster than this a car's coming would take longer than most stays. */
const FASTEST = 3600

export function scenarioSpeed(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 1 && value <= FASTEST)) throw new InvalidArgumentError(`give how many times faster than real time, from 1 to ${FASTEST}`)
  return value
}

/** A time of the day such as 06:30 as seconds. */
export function timeOfDayS(text: string): number {
  const [, hours, minutes] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? []
  if (hours === undefined || minutes === undefined) throw new InvalidArgumentError('give a time of the day such as 06:30')
  return Number(hours) * 3600 + Number(minutes) * 60
}

/** Seconds of the day as its time, such as `06:30`. */
export function shownTimeOfDay(seconds: number): string {
  return new Date(Math.max(0, seconds) * 1000).toISOString().slice(11, 16)
}
