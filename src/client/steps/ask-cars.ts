import { isUsable, type RankableOffer, rankOffers } from '../../placement/ranking.ts'
import { ALL_CARS, firstTheta, nextTheta, roundWaitMs } from '../../placement/suppression.ts'
import type { PeerId } from '../../protocol/ids.ts'
import { carsNeeded, carsToAward } from './cars-needed.ts'
import type { AskedOffer, Asking, ClientEffect, ClientState } from './client-state.ts'

/** A queue that is in time is looked at again after this, ms. */
const LOOK_AGAIN_MS = 50

/** Offers beyond the cars wanted that are choice enough: a better one is seldom worth the wait. */
const CHOICE = 2

/** Begins to look for cars when work is waiting that the held leases won't end in time; looks again soon while they would. */
export function startDiscovery(state: ClientState, nowMs: number, effects: ClientEffect[]): void {
  const { asking: before } = state
  // Awards that are still to be answered may be enough.
  if (before !== null && (before.phase !== 'resting' || before.pending.size > 0)) return
  if (state.waiting.length === 0 || nowMs < state.nextAskMs || state.leases.size >= state.settings.maximumCars) return
  const carsWanted = carsNeeded(state, nowMs)
  if (carsWanted === 0) {
    state.nextAskMs = nowMs + LOOK_AGAIN_MS
    return
  }
  state.asks++
  state.asking = {
    ask: state.asks,
    phase: 'discovering',
    round: 0,
    theta: 0,
    carsWanted,
    carsWon: 0,
    announcedAtMs: nowMs,
    roundEndsMs: Number.POSITIVE_INFINITY,
    awardAtMs: before?.awardAtMs ?? null,
    offers: before?.offers ?? [],
    pending: new Map(),
    heard: new Set(before?.offers.map(({ car }) => car))
  }
  effects.push({ type: 'discover', ask: state.asks })
}

/** The shard is known: announces round 0 to as many cars as should answer. */
export function startListening(state: ClientState, ask: number, idleCars: number, nowMs: number, effects: ClientEffect[]): void {
  const { asking } = state
  if (asking === null || asking.ask !== ask || asking.phase !== 'discovering') return
  const theta = firstTheta(asking.carsWanted, idleCars)
  effects.push({ type: 'announce', ask, round: 0, theta, tasks: state.waiting.length })
  state.asking = { ...asking, phase: 'listening', theta, announcedAtMs: nowMs, roundEndsMs: nowMs + roundWaitMs(state.usualOfferMs) }
}

/** A round went out; one that reached nobody ends the announcement: the shard has moved, and the next one looks where to. */
export function startRound(state: ClientState, event: { readonly ask: number; readonly round: number; readonly recipients: number }, nowMs: number): void {
  const { asking } = state
  if (asking === null || asking.ask !== event.ask || asking.round !== event.round) return
  if (event.recipients > 0) {
    state.trouble = `cars were asked and none offered at a price of at most ${state.ceiling === 0 ? '0' : `${state.ceiling / 1e6} ${state.unit}`}: they are busy, or ask for more (priceCeiling, or motorpool run --pay)`
    state.asking = { ...asking, announcedAtMs: nowMs, roundEndsMs: nowMs + roundWaitMs(state.usualOfferMs) }
  } else {
    state.trouble = 'nobody hears the topic of this model'
    state.asking = { ...asking, theta: ALL_CARS, roundEndsMs: nowMs + state.settings.awardWaitMs }
  }
}

/** Notes an offer, also to an earlier announcement; one that comes when nothing is wanted any more is declined. */
export function answerOffer(state: ClientState, ask: number, ranked: RankableOffer, nowMs: number, effects: ClientEffect[]): void {
  const { asking } = state
  if (asking === null || asking.heard.has(ranked.car) || state.leases.has(ranked.car) || !isUsable(taskOf(state, 0), ranked.offer)) {
    if (asking?.heard.has(ranked.car) !== true) effects.push({ type: 'decline', ask, cars: [ranked.car] })
    return
  }
  if (asking.ask === ask) state.usualOfferMs = state.usualOfferMs * 0.8 + (nowMs - asking.announcedAtMs) * 0.2
  const isChoice = asking.offers.length + 1 >= asking.carsWanted - asking.carsWon - asking.pending.size + CHOICE
  state.asking = {
    ...asking,
    heard: new Set(asking.heard).add(ranked.car),
    offers: [...asking.offers, { ...ranked, ask }],
    awardAtMs: isChoice ? nowMs : (asking.awardAtMs ?? nowMs + state.settings.awardWaitMs)
  }
}

/** A car said busy, or vanished before it granted. */
export function answerRefusal(state: ClientState, car: PeerId): void {
  const { asking } = state
  if (asking === null || (!asking.pending.has(car) && !asking.offers.some(offer => offer.car === car))) return
  const pending = new Map(asking.pending)
  pending.delete(car)
  state.trouble = 'the cars that offered were busy by then'
  state.asking = { ...asking, pending, offers: asking.offers.filter(offer => offer.car !== car) }
}

/** Awards when offers are due, opens the next round when too few came, ends the announcement when it is served, and rests when all cars were asked. */
export function continueAsking(state: ClientState, nowMs: number, effects: ClientEffect[]): void {
  if (state.asking === null) return
  let asking = dropSilentAwards(state.asking, nowMs)
  if (asking.awardAtMs !== null && asking.awardAtMs <= nowMs) asking = awardBest(state, asking, nowMs, effects)
  state.asking = asking
  const served = state.waiting.length === 0 || asking.carsWon >= asking.carsWanted
  if (served && asking.pending.size === 0) return endAsking(state, asking, nowMs, effects)
  if (asking.phase !== 'listening' || asking.roundEndsMs > nowMs) return
  const exhausted = asking.theta >= ALL_CARS && asking.pending.size === 0 && (asking.awardAtMs === null || asking.offers.length === 0)
  if (exhausted) {
    effects.push({ type: 'watch', ask: asking.ask })
    return restAsking(state, asking, nowMs)
  }
  const roundEndsMs = nowMs + roundWaitMs(state.usualOfferMs)
  if (asking.carsWon + asking.pending.size < asking.carsWanted && asking.theta < ALL_CARS) {
    const theta = nextTheta(asking.theta)
    const round = asking.round + 1
    effects.push({ type: 'announce', ask: asking.ask, round, theta, tasks: state.waiting.length })
    state.asking = { ...asking, round, theta, roundEndsMs }
  } else {
    state.asking = { ...asking, roundEndsMs }
  }
}

function dropSilentAwards(asking: Asking, nowMs: number): Asking {
  if (asking.pending.size === 0 || ![...asking.pending.values()].some(dueMs => dueMs <= nowMs)) return asking
  return { ...asking, pending: new Map([...asking.pending].filter(([, dueMs]) => dueMs > nowMs)) }
}

function awardBest(state: ClientState, asking: Asking, nowMs: number, effects: ClientEffect[]): Asking {
  if (asking.offers.length === 0) return asking
  let timeLeftMs = 0
  for (const task of state.waiting) timeLeftMs = Math.max(timeLeftMs, task.deadlineMs - nowMs)
  const best = carsToAward(state, asking, rankOffers(taskOf(state, timeLeftMs), asking.offers), nowMs)
  if (best.length === 0) return asking
  const pending = new Map(asking.pending)
  for (const { ask, car, offer } of best) {
    pending.set(car, nowMs + state.settings.grantWaitMs)
    effects.push({ type: 'award', ask, car, slots: offer.slots })
  }
  return { ...asking, pending, offers: asking.offers.filter(offer => !pending.has(offer.car)) }
}

function endAsking(state: ClientState, asking: Asking, nowMs: number, effects: ClientEffect[]): void {
  for (const [ask, offers] of Map.groupBy(asking.offers, ({ ask }: AskedOffer) => ask))
    effects.push({ type: 'decline', ask, cars: offers.map(({ car }) => car) })
  state.asking = null
  state.nextAskMs = nowMs + state.askPauseMs
}

/** Pauses before the next announcement, each time for longer while no car is won, and still takes what is offered. */
function restAsking(state: ClientState, asking: Asking, nowMs: number): void {
  const { askPauseMs, askPauseMostMs } = state.settings
  state.asking = { ...asking, phase: 'resting', roundEndsMs: Number.POSITIVE_INFINITY }
  state.nextAskMs = nowMs + state.askPauseMs
  state.askPauseMs = asking.carsWon > 0 ? askPauseMs : Math.min(askPauseMostMs, state.askPauseMs * 2)
}

/** Nobody was found in the time that one looks for; that time was pause enough. */
export function noteUndiscovered(state: ClientState, ask: number, trouble: string, nowMs: number): void {
  const { asking } = state
  if (asking === null || asking.ask !== ask || asking.phase !== 'discovering') return
  state.trouble = trouble
  state.askPauseMs = state.settings.askPauseMs
  restAsking(state, asking, nowMs)
}

/** What was asked for in vain may be there now, or is needed sooner. */
export function askAtOnce(state: ClientState, nowMs: number): void {
  state.nextAskMs = nowMs
  state.askPauseMs = state.settings.askPauseMs
}

/** A new car hears the topic; how long the next pause is doesn't change, since it may not offer either. */
export function noteNewCar(state: ClientState, ask: number, nowMs: number): void {
  if (state.asking?.ask === ask && state.asking.phase === 'resting') state.nextAskMs = nowMs
}

function taskOf(state: ClientState, timeLeftMs: number): { readonly ceiling: number; readonly unit: string; readonly timeLeftMs: number } {
  return { ceiling: state.ceiling, unit: state.unit, timeLeftMs }
}
