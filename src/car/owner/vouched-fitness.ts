import type { Fitness } from '../../energy/fitness.ts'
import type { OwnerPolicy } from '../../energy/owner-policy.ts'
import type { VehicleSignals } from '../../protocol/vehicle/signals.ts'
import { isPluggedIn } from './vehicle-facts.ts'

/**
 * Fitness where a person stands in for the vehicle: they vouch for what their machine has no sensor for. What is told
 * still counts, and being plugged in must be told where the policy asks for it.
 */
export function vouchedFitness(fitness: Fitness, signals: VehicleSignals, policy: OwnerPolicy): Fitness {
  if (fitness.fit) return fitness
  const reasons = fitness.reasons.filter(({ code }) => code !== 'signal-missing')
  if (policy.battery.pluggedInOnly && isPluggedIn(signals) === null)
    reasons.push({ code: 'unplugged', text: 'nobody says that this machine is plugged in; add plugged=true to the vehicle’s address', planned: false })
  return reasons.length === 0 ? { fit: true } : { fit: false, reasons }
}
