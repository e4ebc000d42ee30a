import type { VehicleSignals } from '../protocol/vehicle/signals.ts'
import type { GridIntensity } from './carbon.ts'
import type { OwnerPolicy } from './owner-policy.ts'
import type { OwnerUsage } from './owner-usage.ts'

export type FitnessCode =
  | 'not-opted-in'
  | 'signal-missing'
  | 'signal-stale'
  | 'signal-invalid'
  | 'signals-contradict'
  | 'clock-wrong'
  | 'moving'
  | 'not-in-park'
  | 'switched-on'
  | 'door-open'
  | 'unlocked'
  | 'occupied'
  | 'unplugged'
  | 'below-floor'
  | 'contract'
  | 'energy-cap'
  | 'data-cap'
  | 'battery-cold'
  | 'battery-hot'
  | 'computer-hot'
  | 'low-voltage'
  | 'offline'
  | 'quiet-hours'
  | 'carbon'

export interface FitnessReason {
  readonly code: FitnessCode
  /** In words that an owner understands, e.g. `the driver's door is open`. */
  readonly text: string
  /** Whether it could be seen coming, so that the car should have drained before; otherwise it must leave at once. */
  readonly planned: boolean
}

export type Fitness = { readonly fit: true } | { readonly fit: false; readonly reasons: readonly FitnessReason[] }

export interface FitnessInput {
  readonly signals: VehicleSignals
  readonly policy: OwnerPolicy
  /** The clock that `arrivedMs` of the readings was taken from. */
  readonly nowMonotonicMs: number
  readonly nowUnixMs: number
  readonly usage: OwnerUsage
  /** What work draws at present, so that the charger's power is known although the battery sees only the difference. @default 0 */
  readonly workWatts?: number
  /** Needed when the policy has a carbon ceiling. */
  readonly grid?: GridIntensity
}

/** Whether the vehicle may offer inference now; fails closed, and names every reason why not. */
export function judgeFitness(input: FitnessInput): Fitness {
  if (!input.policy.optedIn) return { fit: false, reasons: [{ code: 'not-opted-in', text: 'the owner has not opted in', planned: false }] }
  return { fit: true }
}
