import { MotorpoolError } from '../protocol/errors.ts'
import type { OwnerPolicy } from './owner-policy.ts'

const MJ_PER_KWH = 3.6e9

/**
 * The least that an owner takes for a task, in 10⁻⁶ of `policy.price.unit`, rounded up: electricity, the battery's wear
 * when it must give the energy, and the margin on both. `energyMj` is what the task is expected to draw, millijoules.
 * Throws `ERR_INVALID_OPTION` for an energy below 0 or without end.
 */
export function priceFloor(policy: Pick<OwnerPolicy, 'price'>, task: { readonly energyMj: number; readonly pluggedIn: boolean }): number {
  if (!(task.energyMj >= 0 && Number.isFinite(task.energyMj)))
    throw new MotorpoolError('ERR_INVALID_OPTION', `${task.energyMj} mJ is no energy; give what the task is expected to draw`)
  const { electricityPerKwh, wearPerKwh, marginPercent } = policy.price
  const perKwh = electricityPerKwh + (task.pluggedIn ? 0 : wearPerKwh)
  const millionths = (perKwh * (1 + marginPercent / 100) * 1e6 * task.energyMj) / MJ_PER_KWH
  // A product that is whole but for rounding in binary isn't rounded up.
  return Math.ceil(millionths - 1e-9 * millionths)
}
