import { DAY_S, type Stay } from './commute.ts'
import { seededRandom } from './seeded-random.ts'
import { addGlitch } from './trace-glitches.ts'
import { tellArrival, tellCar, tellCharging, tellDeparture, tellDrive } from './trace-sequences.ts'
import { createTimeline } from './trace-timeline.ts'

/** What `t` = 0 stands for in the times that signals tell: the midnight before a Monday, in UTC, as if cars lived there. */
export const TRACE_EPOCH_MS = Date.UTC(2024, 0, 1)

export interface WriteTraceInit {
  /** In order; from `drawStays`. */
  readonly stays: readonly Stay[]
  /** For what the stays leave open, such as how long a door is open. */
  readonly seed: number
  /** Part of the stays' time that is told; `t` counts from the same midnight as they do. @default 0 */
  readonly fromS?: number
  /** @default a day after `fromS` */
  readonly untilS?: number
  /** Signals go wrong so many times; a glitch that would meet a true change is left out. @default 3 */
  readonly glitches?: number
}

/**
 * A trace of what a vehicle's signals said: a JSON object a line, `t` in seconds since `TRACE_EPOCH_MS`, and new values by
 * their VSS paths (null: the source has none, the text `NaN`: it sent no number). The first line tells all that is known.
 * @throws RangeError when there are no stays, or no time to tell of
 */
export function writeTrace({ stays, seed, fromS = 0, untilS = fromS + DAY_S, glitches = 3 }: WriteTraceInit): string {
  const first = stays[0]
  if (first === undefined) throw new RangeError('there are no stays; draw some with drawStays')
  if (!(untilS > fromS)) throw new RangeError(`the trace would end at ${untilS} s, before it begins at ${fromS} s; give a later end`)
  const timeline = createTimeline()
  const random = seededRandom(seed, 3)
  tellCar(timeline, first, Math.min(fromS, first.arriveS) - 1)
  stays.forEach((stay, index) => {
    tellArrival(timeline, stay, random, isoAt)
    tellCharging(timeline, stay)
    tellDeparture(timeline, stay, random)
    const next = stays[index + 1]
    if (next !== undefined) tellDrive(timeline, stay.leaveS, next.arriveS, random)
  })
  for (let count = 0; count < glitches; count++) addGlitch(timeline, random, fromS, untilS)
  return timeline
    .moments(fromS, untilS)
    .map(({ atS, changes }) => `${JSON.stringify({ t: atS, ...changes })}\n`)
    .join('')
}

function isoAt(atS: number): string {
  return new Date(TRACE_EPOCH_MS + atS * 1000).toISOString().replace('.000Z', 'Z')
}
