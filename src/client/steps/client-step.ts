import type { PeerId, TaskId } from '../../protocol/ids.ts'
import { answerOffer, answerRefusal, askAtOnce, continueAsking, noteNewCar, noteUndiscovered, startDiscovery, startListening, startRound } from './ask-cars.ts'
import { assignTasks, expireTasks } from './assign-tasks.ts'
import type { ClientEffect, ClientState, ClientStepEvent, OpenTask } from './client-state.ts'
import { avoidCar, closeDueLeases, closeLease, flightOf, landFlight, openLease, openTasks, startLeaving } from './hold-leases.ts'
import { earliestDueMs, nextWakeMs } from './next-wake.ts'
import { fittingWindow, noteMeasures, serviceMs } from './pace.ts'

type Step = readonly [ClientState, readonly ClientEffect[]]

/** Why a departure or a full car is no fault of the task. */
const NO_FAULT = new Set(['ERR_BUSY', 'ERR_LEAVING', 'ERR_LINK_CLOSED', 'ERR_CAR_LOST', 'ERR_STOPPED'])

/**
 * One client's decisions for one model: what to announce, which offers to award, where each task runs, when it moves and
 * how it ends. Deterministic and without I/O: randomness and time come with the events. Every task that was submitted
 * yields exactly one `deliver` or `fail`, unless it was cancelled.
 * @param nowMs - the monotonic clock
 */
export function clientStep(state: ClientState, event: ClientStepEvent, nowMs: number): Step {
  return clientSteps(state, [event], nowMs)
}

/**
 * The same for events that came together, in their order: every task ends as it would one by one, but what is due, what can
 * be sent and who is to be asked is decided once, after them all.
 */
export function clientSteps(state: ClientState, events: readonly ClientStepEvent[], nowMs: number): Step {
  const effects: ClientEffect[] = []
  for (const event of events) apply(state, event, nowMs, effects)
  if (events.at(-1)?.type === 'stopped') return [state, effects]
  const isDue = state.tasksDueMs <= nowMs
  if (isDue) expireTasks(state, nowMs, effects)
  closeDueLeases(state, nowMs, effects)
  if (isDue) state.tasksDueMs = earliestDueMs(state)
  continueAsking(state, nowMs, effects)
  assignTasks(state, nowMs, effects)
  if (state.waiting.length === 0) state.backlogSinceMs = null
  else state.backlogSinceMs ??= nowMs
  startDiscovery(state, nowMs, effects)
  const atMs = nextWakeMs(state, nowMs)
  if (atMs !== Number.POSITIVE_INFINITY) effects.push({ type: 'wake', atMs })
  return [state, effects]
}

function apply(state: ClientState, event: ClientStepEvent, nowMs: number, effects: ClientEffect[]): void {
  switch (event.type) {
    case 'submitted':
      return takeTask(state, event, nowMs)
    case 'cancelled':
      return cancelTask(state, event.task, nowMs, effects)
    case 'discovered':
      return startListening(state, event.ask, event.idleCars, nowMs, effects)
    case 'undiscovered':
      return noteUndiscovered(state, event.ask, event.trouble, nowMs)
    case 'car-seen':
      return noteNewCar(state, event.ask, nowMs)
    case 'announced':
      return startRound(state, event, nowMs)
    case 'offered':
      return answerOffer(state, event.ask, event.offer, nowMs, effects)
    case 'granted':
      return openLease(state, event, nowMs, effects)
    case 'refused':
      return answerRefusal(state, event.car)
    case 'arrived':
      return noteArrival(state, event, nowMs, effects)
    case 'result':
      return takeResult(state, event, nowMs, effects)
    case 'bad-result':
      return closeLease(state, event.car, 'refused', `a result was wrong: ${event.reason}`, nowMs, effects)
    case 'failed':
      return takeFailure(state, event, nowMs, effects)
    case 'leaving':
      return startLeaving(state, event.car, event.secondsLeft, nowMs, effects)
    case 'car-lost':
      answerRefusal(state, event.car)
      return closeLease(state, event.car, hasSaidGoodbye(state, event.car) ? 'leaving' : 'lost', event.reason, nowMs, effects)
    case 'lease-ended':
      return closeLease(state, event.car, 'released', 'the car ended the lease', nowMs, effects)
    case 'woken':
      return
    case 'stopped':
      return stopAll(state, nowMs, effects)
  }
}

function takeTask(state: ClientState, event: Extract<ClientStepEvent, { type: 'submitted' }>, nowMs: number): void {
  const { task: id, deadlineMs, targetMs = Number.POSITIVE_INFINITY, inputBytes = 0 } = event
  state.waiting.push({ id, deadlineMs, targetMs, inputBytes, attempt: 0, failures: 0, avoid: [], lastError: null })
  state.tasksDueMs = Math.min(state.tasksDueMs, deadlineMs)
  if (state.leases.size === 0) state.nextAskMs = Math.min(state.nextAskMs, nowMs + (state.everLeased ? 0 : state.settings.askPauseMs))
}

/** The car has done its part and is free for more; the task ends when its receipt comes. */
function noteArrival(state: ClientState, event: Extract<ClientStepEvent, { type: 'arrived' }>, nowMs: number, effects: ClientEffect[]): void {
  const { car, task, attempt } = event
  const lease = state.leases.get(car)
  const flight = flightOf(lease, task, attempt)
  if (lease === undefined || flight === undefined) {
    effects.push({ type: 'drop-late', task, attempt, car })
    return
  }
  landFlight(lease, task, nowMs)
  const dueMs = nowMs + state.settings.receiptWaitMs
  lease.unproven.set(task, { task: flight, dueMs })
  state.tasksDueMs = Math.min(state.tasksDueMs, dueMs)
}

function takeResult(state: ClientState, event: Extract<ClientStepEvent, { type: 'result' }>, nowMs: number, effects: ClientEffect[]): void {
  const { car, task, attempt, ranUs, roundTripMs } = event
  const lease = state.leases.get(car)
  if (lease === undefined || flightOf(lease, task, attempt) === undefined) {
    effects.push({ type: 'drop-late', task, attempt, car })
    return
  }
  landFlight(lease, task, nowMs)
  effects.push({ type: 'deliver', task, attempt, car })
  if (ranUs === undefined || roundTripMs === undefined) return
  noteMeasures(lease.pace, ranUs, roundTripMs, nowMs)
  lease.window = fittingWindow(lease)
  state.usualServiceMs = serviceMs(lease, nowMs, 0)
}

function takeFailure(state: ClientState, event: Extract<ClientStepEvent, { type: 'failed' }>, nowMs: number, effects: ClientEffect[]): void {
  const { car, task, attempt, code, message } = event
  const lease = state.leases.get(car)
  const flight = flightOf(lease, task, attempt)
  if (lease === undefined || flight === undefined) return
  const isFault = !NO_FAULT.has(code)
  if (!isFault && lease.leavesAtMs === null) {
    const others = code === 'ERR_LEAVING' ? openTasks(lease).filter(({ id }) => id !== task) : []
    if (others.length === 0) return closeLease(state, car, 'refused', message, nowMs, effects)
    // A car that takes no more because it may leave finishes what it has.
    landFlight(lease, task, nowMs)
    lease.leavesAtMs = Math.max(...others.map(({ deadlineMs }) => deadlineMs))
    askAtOnce(state, nowMs)
    return moveFlight(state, flight, event, effects)
  }
  landFlight(lease, task, nowMs)
  if (isFault) flight.failures++
  if (event.retryable && flight.failures < state.settings.maximumFailures) return moveFlight(state, flight, event, effects)
  effects.push({ type: 'fail', task, code, message })
}

/** Puts a task that failed on a car in front of those that wait. */
function moveFlight(state: ClientState, flight: OpenTask, { car, code, message }: Extract<ClientStepEvent, { type: 'failed' }>, effects: ClientEffect[]): void {
  effects.push({ type: 'moved', task: flight.id, from: car, reason: message })
  avoidCar(flight, car)
  flight.lastError = { code, message }
  state.waiting.unshift([flight])
}

function hasSaidGoodbye(state: ClientState, car: PeerId): boolean {
  const lease = state.leases.get(car)
  return lease !== undefined && lease.leavesAtMs !== null
}

function cancelTask(state: ClientState, task: TaskId, nowMs: number, effects: ClientEffect[]): void {
  for (const lease of state.leases.values()) {
    const flight = lease.flights.get(task) ?? lease.unproven.get(task)?.task
    if (flight === undefined) continue
    effects.push({ type: 'cancel', task, attempt: flight.attempt, car: lease.car, lease: lease.lease })
    return landFlight(lease, task, nowMs)
  }
  state.waiting.remove(({ id }) => id === task)
}

function stopAll(state: ClientState, nowMs: number, effects: ClientEffect[]): void {
  for (const lease of state.leases.values()) {
    for (const flight of openTasks(lease)) effects.push({ type: 'cancel', task: flight.id, attempt: flight.attempt, car: lease.car, lease: lease.lease })
    const closed: ClientEffect[] = []
    closeLease(state, lease.car, 'stopped', 'the client stopped', nowMs, closed)
    effects.push(...closed.filter(effect => effect.type === 'lease-closed'))
  }
  for (const { id } of state.waiting.remove(() => true))
    effects.push({ type: 'fail', task: id, code: 'ERR_STOPPED', message: 'this peer stopped before the task ended; submit it again from a running peer' })
  state.asking = null
}
