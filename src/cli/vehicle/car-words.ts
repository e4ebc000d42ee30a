import type { FitnessReason } from '../../energy/fitness.ts'
import type { TaskEnergy } from '../../energy/task-energy.ts'
import type { AdminStatus } from '../admin/methods.ts'

/** Why a car is where it is, in its owner's words, as short as a table wants it. */
export function whereforeOf({ car, story }: AdminStatus): string {
  if (car === null) return 'it offers nothing'
  if (car.state === 'parked') return story.joined?.reason ?? ''
  const reasons = car.vehicle?.reasons ?? []
  if (reasons.length > 0) return shortReason(tellingFirst(reasons))
  if (car.state === 'leaving') return 'it finishes what it has'
  return car.vehicle === null ? shortReason(story.left?.reason ?? '') : 'fit, and about to join'
}

/** What the driver does says more than what a sensor doesn't tell meanwhile. */
function tellingFirst(reasons: readonly FitnessReason[]): string {
  const isTrouble = ({ code }: FitnessReason) => code.startsWith('signal-')
  return [...reasons.filter(each => !isTrouble(each)), ...reasons.filter(isTrouble)].map(({ text }) => text).join('; ')
}

/** A reason of several parts as its first, and how many more there are. */
export function shortReason(reason: string): string {
  const [first = '', ...more] = reason.split('; ')
  return more.length === 0 ? first : `${first} (and ${more.length} more)`
}

/** Energy with where the figure comes from, such as `12.3 J estimated`. */
export function shortEnergy({ attributedMj, by }: Pick<TaskEnergy, 'attributedMj' | 'by'>): string {
  return by === 'unknown' ? 'unknown' : `${(attributedMj / 1000).toFixed(1)} J ${by}`
}

/** Charge such as `54 %`, or a dash where the car doesn't tell. */
export function shortCharge(percent: number | null | undefined): string {
  return percent === null || percent === undefined ? '–' : `${Math.round(percent)} %`
}
