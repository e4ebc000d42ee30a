import { beaconIntervalMs, farewellDelayMs, silenceMs } from './beacon-pace.ts'
import { carsCounted, type ShardEffect, type ShardEvent, type ShardState } from './shard-state.ts'
import { decideShard, providedPrefixes, type ShardSettings, stableDraw } from './shards.ts'

/** Messages that tell a shard where its cars went; more say nothing new. */
const FAREWELLS = 3
/** Fewer could be a mistake, or one car with two keys. */
const LEAST_DEPARTURES = 2
/** A car that leaves a larger shard goes silently, RFC 3550 §6.3.7. */
const MOST_CARS_FOR_GOODBYE = 50
/** A shard is small for good when it was for this many times the beacons of a small shard. */
const BEACONS_TO_SETTLE = 3

/** A car comes into the tree at the root: it learns there how deep the others are. */
export function enterShards(init: { readonly path: string; readonly settings: ShardSettings; readonly random: number }, nowMs: number): Step {
  const { path, settings, random } = init
  const state: ShardState = {
    settings,
    path,
    leaf: '',
    held: new Map(),
    mates: new Map(),
    provided: [],
    enteredMs: nowMs,
    listAtMs: nowMs + settings.entryMs,
    newcomer: true,
    lastBeaconMs: nowMs,
    // The first comes in half the time, so that the others soon count this car.
    nextBeaconMs: nowMs + beaconIntervalMs(1, settings.beaconMs, random) / 2,
    farewell: null,
    lowSinceMs: null,
    departures: null,
    wakeMs: Number.POSITIVE_INFINITY
  }
  const effects: ShardEffect[] = [{ type: 'hold-topic', shard: '' }]
  return [schedule(state, nowMs, effects), effects]
}

type Step = readonly [ShardState, readonly ShardEffect[]]

/**
 * One car's decisions about its shard: when it sends a beacon, splits, merges, follows the others, and what it lists on the
 * DHT. Deterministic and without I/O: randomness and time come with the events.
 * @param nowMs - the monotonic clock
 */
export function shardStep(state: ShardState, event: ShardEvent, nowMs: number): Step {
  const effects: ShardEffect[] = []
  if (event.type === 'left') return [leave(state, effects), effects]
  let next = apply(state, event, nowMs, effects)
  // A timer that fires early leaves everything due as it was: it is asked for again.
  if (event.type === 'woken') next = forgetSilent({ ...next, wakeMs: Number.POSITIVE_INFINITY }, nowMs)
  next = dropHeld(next, nowMs, effects)
  next = decide(next, event.random, nowMs, effects)
  next = list(next, nowMs, effects)
  next = speak(next, event.random, nowMs, effects)
  return [schedule(next, nowMs, effects), effects]
}

function apply(state: ShardState, event: Exclude<ShardEvent, { type: 'left' }>, nowMs: number, effects: ShardEffect[]): ShardState {
  switch (event.type) {
    case 'beacon-heard':
      return hear(state, event, nowMs)
    case 'neighbours-seen': {
      for (const { peer, path } of event.neighbours) if (path.startsWith(state.leaf)) state.mates.set(peer, { path, heardMs: nowMs, cars: carsCounted(state) })
      return state
    }
    case 'depths-told':
      return followDepth(state, event.depths, event.random, nowMs, effects)
    case 'woken':
      return state
  }
}

function hear(state: ShardState, beacon: Extract<ShardEvent, { type: 'beacon-heard' }>, nowMs: number): ShardState {
  const { mates, leaf } = state
  const { peer, path } = beacon
  const isMate = !beacon.away && beacon.leaf === leaf.length && path.startsWith(leaf)
  if (isMate) mates.set(peer, { path, heardMs: nowMs, cars: carsCounted(state) })
  else if (beacon.away || beacon.shard === leaf.length) mates.delete(peer)
  return noteDepartures(noteFarewells(state, beacon), beacon, isMate, nowMs)
}

function noteFarewells(state: ShardState, { shard, leaf, away }: Extract<ShardEvent, { type: 'beacon-heard' }>): ShardState {
  const { farewell } = state
  if (farewell === null || away || shard !== farewell.shard.length || leaf === shard) return state
  return { ...state, farewell: { ...farewell, heard: farewell.heard + 1 } }
}

function noteDepartures(
  state: ShardState,
  { peer, shard, leaf, away }: Extract<ShardEvent, { type: 'beacon-heard' }>,
  isMate: boolean,
  nowMs: number
): ShardState {
  const wentDeeper = !away && shard === state.leaf.length && leaf > shard
  if (state.departures === null && !wentDeeper) return state
  const departures = state.departures ?? { endsMs: nowMs + state.settings.holdMs, wentDeeper: new Map() }
  if (wentDeeper || isMate) departures.wentDeeper.set(peer, wentDeeper)
  return { ...state, departures }
}

/** A newcomer that finds its shard almost empty goes as deep as most others are. */
function followDepth(state: ShardState, depths: readonly number[], random: number, nowMs: number, effects: ShardEffect[]): ShardState {
  const depth = [...depths].sort((left, right) => left - right)[depths.length >> 1]
  const { settings } = state
  if (depth === undefined || !state.newcomer) return state
  if (depth > state.leaf.length && carsCounted(state) < settings.mergeBelow)
    return { ...move(state, Math.min(depth, settings.maximumDepth), random, nowMs, effects), listAtMs: nowMs }
  return state
}

/** Cars that leave at once leave no trace in the pace: the beacons planned come sooner as fewer are left (RFC 3550 §6.3.4). */
function forgetSilent(state: ShardState, nowMs: number): ShardState {
  const { mates, settings } = state
  const before = carsCounted(state)
  for (const [peer, mate] of mates) if (nowMs - mate.heardMs > silenceMs(Math.max(mate.cars, before), settings.beaconMs)) mates.delete(peer)
  const share = carsCounted(state) / before
  if (share === 1) return state
  return {
    ...state,
    lastBeaconMs: nowMs - (nowMs - state.lastBeaconMs) * share,
    nextBeaconMs: Math.max(nowMs, nowMs + (state.nextBeaconMs - nowMs) * share)
  }
}

function dropHeld(state: ShardState, nowMs: number, effects: ShardEffect[]): ShardState {
  if (state.held.size === 0) return state
  const due = [...state.held].filter(([, untilMs]) => untilMs <= nowMs)
  if (due.length === 0) return state
  for (const [shard] of due) effects.push({ type: 'drop-topic', shard })
  return { ...state, held: new Map([...state.held].filter(([, untilMs]) => untilMs > nowMs)) }
}

function decide(state: ShardState, random: number, nowMs: number, effects: ShardEffect[]): ShardState {
  const { settings, leaf } = state
  const decision = decideShard(leaf, carsCounted(state), settings)
  const lowSinceMs = decision === 'merge' ? (state.lowSinceMs ?? nowMs) : null
  const next = lowSinceMs === state.lowSinceMs ? state : { ...state, lowSinceMs }
  // One change after another: while two topics are held, who is where is in flux.
  if (state.held.size > 0) return next
  if (decision === 'split') return move(next, leaf.length + 1, random, nowMs, effects)
  if (next.departures !== null && next.departures.endsMs <= nowMs) {
    const voices = [...next.departures.wentDeeper.values()]
    const deeper = voices.filter(went => went).length
    if (deeper >= LEAST_DEPARTURES && deeper * 2 > voices.length && leaf.length < settings.maximumDepth)
      return move(next, leaf.length + 1, random, nowMs, effects)
    return { ...next, departures: null }
  }
  if (lowSinceMs !== null && nowMs - lowSinceMs >= settleMs(settings)) return move(next, leaf.length - 1, random, nowMs, effects)
  return next
}

function settleMs({ mergeBelow, beaconMs, holdMs }: ShardSettings): number {
  return BEACONS_TO_SETTLE * mergeBelow * beaconMs + holdMs
}

function move(state: ShardState, depth: number, random: number, nowMs: number, effects: ShardEffect[]): ShardState {
  const { settings, path } = state
  const leaf = path.slice(0, depth)
  const held = new Map(state.held).set(state.leaf, nowMs + settings.holdMs)
  if (!held.delete(leaf)) effects.push({ type: 'hold-topic', shard: leaf })
  for (const [peer, mate] of state.mates) if (!mate.path.startsWith(leaf)) state.mates.delete(peer)
  const cars = carsCounted(state)
  effects.push({ type: 'moved', from: state.leaf, to: leaf, cars })
  const moved: ShardState = {
    ...state,
    leaf,
    held,
    enteredMs: nowMs,
    newcomer: false,
    // As if it had just sent one: whoever moves knows a part of its new shard only, and all move at once.
    lastBeaconMs: nowMs,
    nextBeaconMs: nowMs + beaconIntervalMs(cars, settings.beaconMs, random),
    farewell: { shard: state.leaf, atMs: nowMs + farewellDelayMs(settings.holdMs, secondDraw(random)), heard: 0 },
    lowSinceMs: null,
    departures: null
  }
  return state.listAtMs === null ? relist(moved, effects) : moved
}

/** A draw that is independent enough of the event's own. */
function secondDraw(random: number): number {
  return (random * 65_536) % 1
}

function list(state: ShardState, nowMs: number, effects: ShardEffect[]): ShardState {
  if (state.listAtMs === null || state.listAtMs > nowMs) return state
  return relist({ ...state, listAtMs: null }, effects)
}

function relist(state: ShardState, effects: ShardEffect[]): ShardState {
  const provided = providedPrefixes(state.leaf, stableDraw(state.path))
  for (const shard of provided) if (!state.provided.includes(shard)) effects.push({ type: 'provide', shard })
  for (const shard of state.provided) if (!provided.includes(shard)) effects.push({ type: 'unprovide', shard })
  return { ...state, provided }
}

/** Sends what is due: a beacon, after a second look at how many share the pace (RFC 3550 §6.3.6), and the word to the old shard. */
function speak(state: ShardState, random: number, nowMs: number, effects: ShardEffect[]): ShardState {
  let next = state
  const { farewell, leaf, settings } = state
  if (farewell !== null && farewell.atMs <= nowMs) {
    if (farewell.heard < FAREWELLS) effects.push({ type: 'beacon', shard: farewell.shard, leaf, away: false })
    next = { ...next, farewell: null }
  }
  if (next.nextBeaconMs > nowMs) return next
  const cars = carsCounted(next)
  const dueMs = next.lastBeaconMs + beaconIntervalMs(cars, settings.beaconMs, random) * (next.newcomer && cars === 1 ? 0.5 : 1)
  if (dueMs > nowMs) return { ...next, nextBeaconMs: dueMs }
  effects.push({ type: 'beacon', shard: leaf, leaf, away: false })
  return { ...next, lastBeaconMs: nowMs, nextBeaconMs: nowMs + beaconIntervalMs(cars, settings.beaconMs, secondDraw(random)) }
}

function leave(state: ShardState, effects: ShardEffect[]): ShardState {
  const { leaf } = state
  if (carsCounted(state) <= MOST_CARS_FOR_GOODBYE) effects.push({ type: 'beacon', shard: leaf, leaf, away: true })
  for (const shard of [leaf, ...state.held.keys()]) effects.push({ type: 'drop-topic', shard })
  for (const shard of state.provided) effects.push({ type: 'unprovide', shard })
  return { ...state, held: new Map(), provided: [], nextBeaconMs: Number.POSITIVE_INFINITY }
}

/** Asks to be woken at the next moment at which something is due without an event. */
function schedule(state: ShardState, nowMs: number, effects: ShardEffect[]): ShardState {
  let wakeMs = state.nextBeaconMs
  for (const untilMs of state.held.values()) wakeMs = Math.min(wakeMs, untilMs)
  if (state.farewell !== null) wakeMs = Math.min(wakeMs, state.farewell.atMs)
  if (state.listAtMs !== null) wakeMs = Math.min(wakeMs, state.listAtMs)
  if (state.departures !== null && state.departures.endsMs > nowMs) wakeMs = Math.min(wakeMs, state.departures.endsMs)
  if (state.lowSinceMs !== null) {
    const dueMs = state.lowSinceMs + settleMs(state.settings)
    if (dueMs > nowMs) wakeMs = Math.min(wakeMs, dueMs)
  }
  if (wakeMs === state.wakeMs) return state
  effects.push({ type: 'wake', atMs: wakeMs })
  return { ...state, wakeMs }
}
