import { createHash } from 'node:crypto'

/** θ at which every car answers. */
export const ALL_CARS = 2 ** 32

/** Offers that a client hopes for beyond the cars that it wants: enough to choose, few enough to weigh at once. */
const SPARE_OFFERS = 4

/**
 * Whether a car answers a round: the first u32 of sha256(task ‖ u32 round ‖ car) is below θ. Both sides compute it, so a
 * client notices a car that answers out of turn.
 * @param task - 16 bytes of the announcement's id
 * @param car - the car's peer id multihash
 */
export function answersRound(task: Uint8Array, round: number, car: Uint8Array, theta: number): boolean {
  const head = Buffer.allocUnsafe(4)
  head.writeUInt32BE(round)
  return createHash('sha256').update(task).update(head).update(car).digest().readUInt32BE(0) < theta
}

/** θ of the first round: (cars wanted + spare) of the cars that are expected to be idle. */
export function firstTheta(carsWanted: number, expectedIdleCars: number): number {
  return Math.min(ALL_CARS, Math.ceil((ALL_CARS * (carsWanted + SPARE_OFFERS)) / Math.max(1, expectedIdleCars)))
}

/** θ of the next round: twice as many cars. */
export function nextTheta(theta: number): number {
  return Math.min(ALL_CARS, theta * 2)
}

/** How long a round waits for offers before the next, ms. @param usualMs - the usual time from announcement to an offer */
export function roundWaitMs(usualMs: number): number {
  return Math.max(150, 3 * usualMs)
}
