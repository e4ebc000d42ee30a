import type { CarStatus, Underpaid } from '../../car/car.ts'

const MJ_PER_KWH = 3.6e9

/** What the owner of a car that runs wants to know of it, line by line. */
export function describeCar(car: CarStatus): string[] {
  const { vehicle, energy } = car
  const lines = [
    `car       ${car.state}, ${car.running} of ${car.slots} slots busy, ${car.queued} queued, joined ${times(car.joins)}`,
    `tasks     ${car.done} done, ${car.failed} failed, ${car.handedBack} handed back, ${car.heard} announcements heard`,
    `energy    ${describeEnergy(energy)}`
  ]
  if (car.underpaid !== null) lines.push(`price     ${describeUnderpaid(car.underpaid)}`)
  if (vehicle !== null) {
    const told = [
      vehicle.batteryPercent === null ? 'battery unknown' : `battery at ${Math.round(vehicle.batteryPercent)} %`,
      vehicle.pluggedIn === null ? 'plug unknown' : vehicle.pluggedIn ? 'plugged in' : 'unplugged'
    ]
    lines.push(`vehicle   ${vehicle.source}, ${vehicle.state}${vehicle.trouble === null ? '' : ` (${vehicle.trouble})`}, ${told.join(', ')}`)
    for (const reason of vehicle.reasons) lines.push(`not fit   ${reason.text}`)
    if (vehicle.planned !== null) lines.push(`ends      ${new Date(vehicle.planned.atUnixMs).toISOString().slice(0, 16)}Z: ${vehicle.planned.reason}`)
    lines.push(`today     ${(vehicle.today.energyMj / MJ_PER_KWH).toFixed(3)} kWh, ${(vehicle.today.networkBytes / 1e6).toFixed(1)} MB`)
  }
  for (const model of car.models)
    lines.push(`model     ${model.name} ${model.cid}${model.medianRunUs === null ? '' : `, median ${Math.round(model.medianRunUs / 1000)} ms`}`)
  return lines
}

/** Joules of all tasks with how they are known. */
export function describeEnergy({ attributedMj, marginalMj, tasks, by, meter }: CarStatus['energy']): string {
  if (by === 'unknown') return `unknown (${meter === 'none' ? 'no meter here' : meter})`
  const joules = (mj: number): string => `${(mj / 1000).toFixed(1)} J`
  return `${joules(attributedMj)} for ${tasks} tasks, ${joules(marginalMj)} of them above idle (${by}, ${meter})`
}

/** Why a car that hears of work offers nothing, and what its owner can do. */
export function describeUnderpaid({ heard, asks, offered }: Underpaid): string {
  const money = ({ price, unit }: Underpaid['asks']): string => `${(price / 1e6).toFixed(6)} ${unit}`
  const pays = offered.price === 0 ? 'nothing' : `${money(offered)} at most`
  return `it asks for ${money(asks)} a task; ${heard} announcements paid less, the last ${pays}. To work for nothing while plugged in, set price.electricityPerKwh to 0 in the policy`
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}
