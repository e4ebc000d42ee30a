import type { Fitness } from './fitness.ts'

/** Whether the car takes part, and what decides when it next may. */
export interface FitnessGate {
  readonly joined: boolean
  /** Since when the vehicle is fit without a break; null while it isn't. */
  readonly fitSinceMs: number | null
  readonly lastJoinMs: number | null
  readonly lastMs: number | null
}

export interface FitnessGateSettings {
  /** Fit without a break for this long before the car joins: a driver who unloads the boot isn't gone yet. @default 30000 */
  readonly settleMs?: number
  /** At least this long between two joins, whatever flickers. @default 60000 */
  readonly joinEveryMs?: number
}

export const CLOSED_GATE: FitnessGate = { joined: false, fitSinceMs: null, lastJoinMs: null, lastMs: null }

/**
 * One step of the way in and out: leaves at the first unfit moment, joins only after being fit for the settle time, and
 * at most once per `joinEveryMs`. `nowMs` is monotonic; when it goes back, the wait starts anew.
 */
export function stepFitnessGate(
  gate: FitnessGate,
  fitness: Fitness,
  nowMs: number,
  settings: FitnessGateSettings = {}
): readonly [FitnessGate, 'join' | 'leave' | null] {
  const { settleMs = 30_000, joinEveryMs = 60_000 } = settings
  const wentBack = gate.lastMs !== null && nowMs < gate.lastMs
  if (!fitness.fit || wentBack) {
    // A clock that went back can't tell how long ago the last join was: the wait counts from now.
    const lastJoinMs = wentBack && gate.lastJoinMs !== null ? nowMs : gate.lastJoinMs
    return [{ joined: false, fitSinceMs: fitness.fit ? nowMs : null, lastJoinMs, lastMs: nowMs }, gate.joined ? 'leave' : null]
  }
  const fitSinceMs = gate.fitSinceMs ?? nowMs
  const mayJoin = nowMs - fitSinceMs >= settleMs && (gate.lastJoinMs === null || nowMs - gate.lastJoinMs >= joinEveryMs)
  if (gate.joined || !mayJoin) return [{ ...gate, fitSinceMs, lastMs: nowMs }, null]
  return [{ joined: true, fitSinceMs, lastJoinMs: nowMs, lastMs: nowMs }, 'join']
}
