import type { CarEvent } from '../../car/car.ts'

/** What a person at the car wants to see of its coming and going; undefined for everything else. */
export function describeEvent(event: CarEvent): string | undefined {
  switch (event.type) {
    case 'fit':
      return 'fit: the car joins when it stays so'
    case 'unfit':
      return `not fit: ${event.reasons.map(({ text }) => text).join('; ')}`
    case 'joined':
      return `joined: ${event.why}`
    case 'left':
      return `left: ${event.reason}`
    case 'join-failed':
      return `could not join: ${event.reason} (again in ${Math.ceil(event.retryInMs / 1000)} s)`
    default:
      return undefined
  }
}
