import type { Offer } from '../protocol/control.ts'
import type { PeerId } from '../protocol/ids.ts'

/** What a client weighs an offer against. */
export interface RankingTask {
  /** Most to pay for a task, in 10⁻⁶ of `unit`. */
  readonly ceiling: number
  readonly unit: string
  /** Milliseconds that are left for it. */
  readonly timeLeftMs: number
}

/** An offer with what the client itself knows of the car. */
export interface RankableOffer {
  readonly car: PeerId
  readonly offer: Offer
  /** (completed + 1) / (completed + failed + 2) of this car's account; 0.5 when never met. */
  readonly completionRate: number
  /** A number in [0, 1) drawn by the client, so that ground peer ids win nothing. */
  readonly draw: number
}

/** Odds of staying that a car which tells none is given: most stay for most tasks, but nobody promises it. */
const UNKNOWN_STAY = 0.95
/** What it takes to place a task anew when its car leaves, microseconds: half of all times a new announcement is needed. */
const REPLACING_US = 150_000
/** Completion times within this factor rank alike. */
const ALIKE = 1.25

/** Whether an offer can be taken at all: affordable, in the same money. */
export function isUsable(task: RankingTask, offer: Offer): boolean {
  return offer.price.perTask + offer.price.perItem <= task.ceiling && (offer.price.unit === task.unit || offer.price.perTask + offer.price.perItem === 0)
}

/**
 * Orders usable offers best first, by expected completion (with what a departure would cost, over the odds that the car
 * keeps its word), then price, then energy. Offers within a factor of 1.25 rank alike; among those the client's own draw decides.
 */
export function rankOffers<Offered extends RankableOffer>(task: RankingTask, offers: readonly Offered[]): readonly Offered[] {
  const usable = offers.filter(({ offer }) => isUsable(task, offer))
  const known = usable
    .map(({ offer }) => offer.completionUs)
    .filter(us => us > 0)
    .sort((left, right) => left - right)
  const typicalUs = known[known.length >> 1] ?? 1_000_000
  return usable
    .map(ranked => ({ ranked, cost: Math.round(Math.log(costOf(task, ranked, typicalUs)) / Math.log(ALIKE)) }))
    .sort((left, right) => left.cost - right.cost || left.ranked.draw - right.ranked.draw || (left.ranked.car < right.ranked.car ? -1 : 1))
    .map(({ ranked }) => ranked)
}

/**
 * Microseconds until a task is done that takes `completionUs` on a car which stays for it with these odds. Each departure
 * costs half of the run and a new placement, with a car of the same kind.
 */
export function expectedCompletionUs(completionUs: number, stay: number): number {
  return completionUs + (1 / stay - 1) * (completionUs / 2 + REPLACING_US)
}

/** Expected microseconds, raised by the shares of price (up to half) and energy (up to a tenth). */
function costOf(task: RankingTask, { offer, completionRate }: RankableOffer, typicalUs: number): number {
  const completionUs = offer.completionUs > 0 ? offer.completionUs : typicalUs * (1 + offer.queued)
  const stay = Math.max(0.05, offer.stay === null ? UNKNOWN_STAY : offer.stay / 1_000_000)
  const priceShare = task.ceiling > 0 ? (offer.price.perTask + offer.price.perItem) / task.ceiling : 0
  const energyShare = offer.energyMj === null ? 0.5 : Math.min(1, offer.energyMj / 100_000)
  const expectedUs = expectedCompletionUs(completionUs, stay) / Math.max(0.05, completionRate)
  return expectedUs * (1 + priceShare / 2) * (1 + energyShare / 10)
}
