import type { EnergyTotals } from '../../car/owner/energy-account.ts'
import type { TaskEnergy } from '../../energy/task-energy.ts'
import type { AdminStatus } from '../admin/methods.ts'

/** Why a car is where it is, in its owner's words; only the first of several reasons. */
export function whereforeOf({ car, story }: AdminStatus): string {
  if (car === null) return 'it offers nothing'
  if (car.state === 'parked') return story.joined?.reason ?? ''
  const reasons = car.vehicle?.reasons ?? []
  if (reasons.length > 0) return shortReason(reasons.map(({ text }) => text).join('; '))
  if (car.state === 'leaving') return 'it finishes what it has'
  return car.vehicle === null ? shortReason(story.left?.reason ?? '') : 'fit, and about to join'
}

/** A reason of several parts as its first, and how many more there are. */
export function shortReason(reason: string): string {
  const [first = '', ...more] = reason.split('; ')
  return more.length === 0 ? first : `${first} (and ${more.length} more)`
}

/** Energy with where the figure comes from, such as `12.3 J estimated`. */
export function describeEnergy({ attributedMj, by }: Pick<TaskEnergy, 'attributedMj' | 'by'>): string {
  return by === 'unknown' ? 'unknown' : `${joules(attributedMj)} J ${by}`
}

/** Charge such as `54 %`, or a dash where the car doesn't tell. */
export function describeCharge(percent: number | null | undefined): string {
  return percent === null || percent === undefined ? '–' : `${Math.round(percent)} %`
}

/** What the owner of a car that attends a vehicle wants to know, line by line. */
export function vehicleLines(status: AdminStatus): string[] {
  const { car } = status
  if (car === null) return []
  const energy = `energy    ${describeEnergy(car.energy)} in ${car.energy.tasks} tasks${car.energy.meter === 'none' ? '' : `, by ${car.energy.meter}`}`
  if (car.vehicle === null) return [energy]
  const { source, state, trouble, batteryPercent, pluggedIn, planned, today } = car.vehicle
  const plug = pluggedIn === null ? 'plug unknown' : pluggedIn ? 'plugged in' : 'not plugged in'
  return [
    `vehicle   ${source}, ${state}${trouble === null ? '' : `: ${trouble}`}`,
    `battery   ${describeCharge(batteryPercent)}, ${plug}`,
    `why       ${whereforeOf(status)}`,
    ...(planned === null ? [] : [`until     ${new Date(planned.atUnixMs).toISOString().slice(0, 16).replace('T', ' ')} UTC: ${planned.reason}`]),
    energy,
    `today     ${(today.energyMj / 3.6e9).toFixed(3)} kWh, ${(today.networkBytes / 1e6).toFixed(1)} MB`
  ]
}

export function joules(millijoules: EnergyTotals['attributedMj']): string {
  return (millijoules / 1000).toFixed(1)
}
