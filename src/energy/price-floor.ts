import type { OwnerPolicy } from './owner-policy.ts'

/**
 * The least that an owner takes for a task, in 10⁻⁶ of `policy.price.unit`, rounded up: electricity, the battery's wear
 * when it must give the energy, and the margin. `energyMj` is the task's expected energy in millijoules.
 */
export function priceFloor(policy: OwnerPolicy, task: { readonly energyMj: number; readonly pluggedIn: boolean }): number {
  const { electricityPerKwh, wearPerKwh, marginPercent } = policy.price
  const perKwh = electricityPerKwh + (task.pluggedIn ? 0 : wearPerKwh)
  return Math.ceil((perKwh * (1 + marginPercent / 100) * 1e6 * task.energyMj) / 3.6e9)
}
