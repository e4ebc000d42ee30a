import type { VehicleSignals } from '../protocol/vehicle/signals.ts'
import type { GridIntensity } from './carbon.ts'
import { isPlausibleTime } from './local-time.ts'
import type { OwnerPolicy } from './owner-policy.ts'
import type { OwnerUsage } from './owner-usage.ts'
import { batteryReasons } from './rules/battery-reasons.ts'
import { ownerReasons } from './rules/owner-reasons.ts'
import { parkedReasons } from './rules/parked-reasons.ts'
import { type FitnessReason, sudden } from './rules/reason.ts'
import { openSignalDesk } from './rules/signal-desk.ts'
import { SIGNAL_AGE_LIMITS_MS, type SignalAgeLimits } from './rules/signal-facts.ts'

export type { FitnessCode, FitnessReason } from './rules/reason.ts'

export type Fitness = { readonly fit: true } | { readonly fit: false; readonly reasons: readonly FitnessReason[] }

export interface FitnessInput {
  readonly signals: VehicleSignals
  readonly policy: OwnerPolicy
  /** The clock that `arrivedMs` of the readings was taken from. */
  readonly nowMonotonicMs: number
  readonly nowUnixMs: number
  readonly usage: OwnerUsage
  /** Whether the car takes part now: joining takes a little more charge, coolness and spare energy than staying. @default false */
  readonly joined?: boolean
  /** What work draws at present, so that the charger's power is known although the battery sees only what is left. @default 0 */
  readonly workWatts?: number
  /** Needed when the policy has a carbon ceiling. */
  readonly grid?: GridIntensity
  /** @default SIGNAL_AGE_LIMITS_MS */
  readonly ageLimitsMs?: SignalAgeLimits
}

/**
 * Whether the vehicle may offer inference now, else every reason why not. Fails closed: a signal that is needed and
 * missing, too old, nonsense, or at odds with another means not fit.
 */
export function judgeFitness(input: FitnessInput): Fitness {
  const { policy, nowMonotonicMs, nowUnixMs, ageLimitsMs = SIGNAL_AGE_LIMITS_MS } = input
  if (!Number.isFinite(nowMonotonicMs) || !isPlausibleTime(nowUnixMs)) return { fit: false, reasons: [sudden('clock-wrong', 'the car’s clock is wrong')] }
  const question = { ...input, joined: input.joined ?? false, workWatts: input.workWatts ?? 0 }
  const desk = openSignalDesk(input.signals, { nowMonotonicMs, nowUnixMs, ageLimitsMs })
  const told = [...ownerReasons(desk, question), ...parkedReasons(desk, policy), ...batteryReasons(desk, question)]
  // Vehicle troubles first: they are the most urgent to whoever reads.
  const reasons = [...desk.reasons(), ...told]
  return reasons.length === 0 ? { fit: true } : { fit: false, reasons }
}
