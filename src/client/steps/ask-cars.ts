import { isUsable, type RankableOffer, rankOffers } from '../../placement/ranking.ts'
import { ALL_CARS, firstTheta, nextTheta, roundWaitMs } from '../../placement/suppression.ts'
import type { PeerId } from '../../protocol/ids.ts'
import { carsNeeded, carsToAward } from './cars-needed.ts'
import type { Asking, ClientEffect, ClientState } from './client-state.ts'

/** A queue that is in time is looked at again after this, ms. */
const LOOK_AGAIN_MS = 50

/** Offers beyond the cars wanted that are choice enough: a better one is seldom worth the wait. */
const CHOICE = 2

/** Begins to look for cars when work is waiting that the held leases won't end in time; looks again soon while they would. */
export function startDiscovery(state: ClientState, nowMs: number, effects: ClientEffect[]): ClientState {
  if (state.asking !== null || state.waiting.length === 0 || nowMs < state.nextAskMs || state.leases.size >= state.settings.maximumCars) return state
  const carsWanted = carsNeeded(state, nowMs)
  if (carsWanted === 0) return { ...state, nextAskMs: nowMs + LOOK_AGAIN_MS }
  const asking: Asking = {
    ask: state.asks + 1,
    phase: 'discovering',
    round: 0,
    theta: 0,
    carsWanted,
    carsWon: 0,
    announcedAtMs: nowMs,
    roundEndsMs: Number.POSITIVE_INFINITY,
    awardAtMs: null,
    offers: [],
    pending: new Map(),
    heard: new Set()
  }
  effects.push({ type: 'discover', ask: asking.ask })
  return { ...state, asking, asks: asking.ask }
}

/** The shard is known: announces round 0 to as many cars as should answer. */
export function startListening(state: ClientState, ask: number, idleCars: number, nowMs: number, effects: ClientEffect[]): ClientState {
  const { asking } = state
  if (asking === null || asking.ask !== ask || asking.phase !== 'discovering') return state
  const theta = firstTheta(asking.carsWanted, idleCars)
  effects.push({ type: 'announce', ask, round: 0, theta, tasks: state.waiting.length })
  return { ...state, asking: { ...asking, phase: 'listening', theta, announcedAtMs: nowMs, roundEndsMs: nowMs + roundWaitMs(state.usualOfferMs) } }
}

/** A round went out; one that reached nobody ends the announcement: the shard has moved, and the next one looks where to. */
export function startRound(
  state: ClientState,
  event: { readonly ask: number; readonly round: number; readonly recipients: number },
  nowMs: number
): ClientState {
  const { asking } = state
  if (asking === null || asking.ask !== event.ask || asking.round !== event.round) return state
  if (event.recipients > 0)
    return {
      ...state,
      trouble: 'cars were asked and none offered',
      asking: { ...asking, announcedAtMs: nowMs, roundEndsMs: nowMs + roundWaitMs(state.usualOfferMs) }
    }
  return { ...state, trouble: 'nobody hears the topic of this model', asking: { ...asking, theta: ALL_CARS, roundEndsMs: nowMs + state.settings.awardWaitMs } }
}

/** Notes an offer; one that comes when nothing is wanted any more is declined. */
export function answerOffer(state: ClientState, ask: number, ranked: RankableOffer, nowMs: number, effects: ClientEffect[]): ClientState {
  const { asking } = state
  if (asking === null || asking.ask !== ask || asking.heard.has(ranked.car) || state.leases.has(ranked.car) || !isUsable(taskOf(state, 0), ranked.offer)) {
    if (asking?.heard.has(ranked.car) !== true) effects.push({ type: 'decline', ask, cars: [ranked.car] })
    return state
  }
  const usualOfferMs = state.usualOfferMs * 0.8 + (nowMs - asking.announcedAtMs) * 0.2
  const heard = new Set(asking.heard).add(ranked.car)
  const isChoice = asking.offers.length + 1 >= asking.carsWanted - asking.carsWon - asking.pending.size + CHOICE
  return {
    ...state,
    usualOfferMs,
    asking: { ...asking, heard, offers: [...asking.offers, ranked], awardAtMs: isChoice ? nowMs : (asking.awardAtMs ?? nowMs + state.settings.awardWaitMs) }
  }
}

/** A car said busy, or vanished before it granted. */
export function answerRefusal(state: ClientState, car: PeerId): ClientState {
  const { asking } = state
  if (asking === null || (!asking.pending.has(car) && !asking.offers.some(offer => offer.car === car))) return state
  const pending = new Map(asking.pending)
  pending.delete(car)
  return {
    ...state,
    trouble: 'the cars that offered were busy by then',
    asking: { ...asking, pending, offers: asking.offers.filter(offer => offer.car !== car) }
  }
}

/** Awards when offers are due, opens the next round when too few came, ends the announcement when it is served or exhausted. */
export function continueAsking(state: ClientState, nowMs: number, effects: ClientEffect[]): ClientState {
  if (state.asking === null || state.asking.phase !== 'listening') return state
  let asking = dropSilentAwards(state.asking, nowMs)
  if (asking.awardAtMs !== null && asking.awardAtMs <= nowMs) asking = awardBest(state, asking, nowMs, effects)
  const open = asking.carsWon + asking.pending.size
  const served = state.waiting.length === 0 || asking.carsWon >= asking.carsWanted
  const exhausted =
    asking.roundEndsMs <= nowMs && asking.theta >= ALL_CARS && asking.pending.size === 0 && (asking.awardAtMs === null || asking.offers.length === 0)
  if ((served && asking.pending.size === 0) || exhausted) return endAsking(state, asking, nowMs, effects)
  if (asking.roundEndsMs <= nowMs && open < asking.carsWanted && asking.theta < ALL_CARS) {
    const theta = nextTheta(asking.theta)
    const round = asking.round + 1
    effects.push({ type: 'announce', ask: asking.ask, round, theta, tasks: state.waiting.length })
    asking = { ...asking, round, theta, roundEndsMs: nowMs + roundWaitMs(state.usualOfferMs) }
  } else if (asking.roundEndsMs <= nowMs) {
    asking = { ...asking, roundEndsMs: nowMs + roundWaitMs(state.usualOfferMs) }
  }
  return { ...state, asking }
}

function dropSilentAwards(asking: Asking, nowMs: number): Asking {
  if (![...asking.pending.values()].some(dueMs => dueMs <= nowMs)) return asking
  return { ...asking, pending: new Map([...asking.pending].filter(([, dueMs]) => dueMs > nowMs)) }
}

function awardBest(state: ClientState, asking: Asking, nowMs: number, effects: ClientEffect[]): Asking {
  const timeLeftMs = Math.max(0, ...state.waiting.map(task => task.deadlineMs - nowMs))
  const best = carsToAward(state, asking, rankOffers(taskOf(state, timeLeftMs), asking.offers), nowMs)
  if (best.length === 0) return asking
  const pending = new Map(asking.pending)
  for (const { car, offer } of best) {
    pending.set(car, nowMs + state.settings.grantWaitMs)
    effects.push({ type: 'award', ask: asking.ask, car, slots: offer.slots })
  }
  return { ...asking, pending, offers: asking.offers.filter(offer => !pending.has(offer.car)) }
}

function endAsking(state: ClientState, asking: Asking, nowMs: number, effects: ClientEffect[]): ClientState {
  if (asking.offers.length > 0) effects.push({ type: 'decline', ask: asking.ask, cars: asking.offers.map(offer => offer.car) })
  const won = asking.carsWon > 0
  return {
    ...state,
    asking: null,
    nextAskMs: nowMs + state.askPauseMs,
    askPauseMs: won ? state.settings.askPauseMs : Math.min(state.settings.askPauseMostMs, state.askPauseMs * 2)
  }
}

function taskOf(state: ClientState, timeLeftMs: number): { readonly ceiling: number; readonly unit: string; readonly timeLeftMs: number } {
  return { ceiling: state.ceiling, unit: state.unit, timeLeftMs }
}
