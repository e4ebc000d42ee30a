import type { ControlMessage } from '../../protocol/control.ts'
import type { AwakeClock } from './awake-clock.ts'

type Beat = Extract<ControlMessage, { type: 'beat' }>

/** Gaps remembered: about a minute of beats. */
const GAPS = 256
/** Beats measure the round trip, too, so there is one at least this often, ms. */
const LONGEST_REST_MS = 2000

/** Signs of life of one link. */
export interface Pulse {
  /** Any byte arrived. */
  heard: () => void
  /** A beat interval is over: its widest gap is remembered. */
  tick: () => void
  /** The next beat to send. */
  beat: () => Beat
  /** Whether other bytes may stand in for a beat now: the round trip is known, and was measured not long ago. */
  mayRest: () => boolean
  onBeat: (beat: Beat) => void
  silenceMs: () => number
  p99GapMs: () => number
  roundTripMs: () => number | undefined
}

export function createPulse(clock: AwakeClock): Pulse {
  const gaps: number[] = []
  let heardAt = clock.now()
  let widest: number | undefined
  let next = 0
  let beatAt = Number.NEGATIVE_INFINITY
  let theirs: { sent: number; at: number } | undefined
  let roundTrip: number | undefined
  const wholeMs = () => Math.round(performance.now())

  return {
    heard: () => {
      const now = clock.now()
      widest = Math.max(widest ?? 0, now - heardAt)
      heardAt = now
    },
    tick: () => {
      if (widest === undefined) return
      gaps[next] = widest
      next = (next + 1) % GAPS
      widest = undefined
    },
    beat: () => {
      beatAt = clock.now()
      return { type: 'beat', sent: wholeMs(), echo: theirs === undefined ? null : theirs.sent + wholeMs() - theirs.at }
    },
    mayRest: () => roundTrip !== undefined && clock.now() - beatAt < LONGEST_REST_MS,
    onBeat: beat => {
      theirs = { sent: beat.sent, at: wholeMs() }
      if (beat.echo !== null) roundTrip = Math.max(0, wholeMs() - beat.echo)
    },
    silenceMs: () => clock.now() - heardAt,
    p99GapMs: () => gaps.toSorted((left, right) => left - right)[Math.ceil(gaps.length * 0.99) - 1] ?? 0,
    roundTripMs: () => roundTrip
  }
}
