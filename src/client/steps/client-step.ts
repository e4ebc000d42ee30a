import type { PeerId, TaskId } from '../../protocol/ids.ts'
import { answerOffer, answerRefusal, askAtOnce, continueAsking, noteNewCar, noteUndiscovered, startDiscovery, startListening, startRound } from './ask-cars.ts'
import { assignTasks, expireTasks } from './assign-tasks.ts'
import type { ClientEffect, ClientState, ClientStepEvent, HeldLease, LeaseEnd, OpenTask } from './client-state.ts'
import { firstPace, fittingWindow, noteAnswer, noteMeasures, serviceMs } from './pace.ts'

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
  const effects: ClientEffect[] = []
  let next = apply(state, event, nowMs, effects)
  if (event.type === 'stopped') return [next, effects]
  const isDue = next.tasksDueMs <= nowMs
  if (isDue) next = expireTasks(next, nowMs, effects)
  next = closeDueLeases(next, nowMs, effects)
  if (isDue) next = { ...next, tasksDueMs: earliestDueMs(next) }
  next = continueAsking(next, nowMs, effects)
  next = assignTasks(next, nowMs, effects)
  next = startDiscovery(noteBacklog(next, nowMs), nowMs, effects)
  const atMs = nextWakeMs(next, nowMs)
  if (atMs !== undefined) effects.push({ type: 'wake', atMs })
  return [next, effects]
}

function apply(state: ClientState, event: ClientStepEvent, nowMs: number, effects: ClientEffect[]): ClientState {
  switch (event.type) {
    case 'submitted': {
      const { targetMs = Number.POSITIVE_INFINITY, inputBytes = 0 } = event
      const task: OpenTask = { id: event.task, deadlineMs: event.deadlineMs, targetMs, inputBytes, attempt: 0, failures: 0, avoid: [], lastError: null }
      return {
        ...state,
        waiting: state.waiting.concat(task),
        tasksDueMs: Math.min(state.tasksDueMs, task.deadlineMs),
        ...(state.leases.size === 0 ? { nextAskMs: Math.min(state.nextAskMs, nowMs + (state.everLeased ? 0 : state.settings.askPauseMs)) } : {})
      }
    }
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
      return closeLease(answerRefusal(state, event.car), event.car, hasSaidGoodbye(state, event.car) ? 'leaving' : 'lost', event.reason, nowMs, effects)
    case 'lease-ended':
      return closeLease(state, event.car, 'released', 'the car ended the lease', nowMs, effects)
    case 'woken':
      return state
    case 'stopped':
      return stopAll(state, nowMs, effects)
  }
}

function noteBacklog(state: ClientState, nowMs: number): ClientState {
  const backlogSinceMs = state.waiting.length === 0 ? null : (state.backlogSinceMs ?? nowMs)
  return backlogSinceMs === state.backlogSinceMs ? state : { ...state, backlogSinceMs }
}

/** Tasks that a lease has not ended: under way, and waiting for receipts. */
function openTasks(lease: HeldLease): readonly OpenTask[] {
  return [...lease.flights.values(), ...[...lease.unproven.values()].map(({ task }) => task)]
}

function withLease(state: ClientState, lease: HeldLease): ClientState {
  return { ...state, leases: new Map(state.leases).set(lease.car, lease) }
}

function openLease(state: ClientState, event: Extract<ClientStepEvent, { type: 'granted' }>, nowMs: number, effects: ClientEffect[]): ClientState {
  const { asking } = state
  effects.push({ type: 'lease-opened', car: event.car, slots: event.slots })
  const lease: HeldLease = {
    lease: event.lease,
    car: event.car,
    slots: event.slots,
    parallel: event.parallel,
    window: Math.min(event.slots, 2 * event.parallel),
    pace: firstPace(event.runUs ?? 0, nowMs),
    flights: new Map(),
    unproven: new Map(),
    idleSinceMs: nowMs,
    leavesAtMs: null
  }
  const opened = { ...withLease(state, lease), backlogSinceMs: null, everLeased: true, trouble: null, askPauseMs: state.settings.askPauseMs }
  if (asking === null || !asking.pending.has(event.car)) return opened
  const pending = new Map(asking.pending)
  pending.delete(event.car)
  return { ...opened, asking: { ...asking, pending, carsWon: asking.carsWon + 1 } }
}

/** Takes a task off its lease, under way or waiting for its receipt; undefined when that attempt is not the current one there. */
function landFlight(
  state: ClientState,
  car: PeerId,
  task: TaskId,
  attempt: number,
  nowMs: number
): { readonly state: ClientState; readonly lease: HeldLease; readonly flight: OpenTask } | undefined {
  const lease = state.leases.get(car)
  const flight = lease?.flights.get(task) ?? lease?.unproven.get(task)?.task
  if (lease === undefined || flight === undefined || flight.attempt !== attempt) return undefined
  const flights = without(lease.flights, task)
  const pace = flights === lease.flights ? lease.pace : noteAnswer(lease.pace, flights.size, nowMs)
  const landed = { ...lease, pace, flights, unproven: without(lease.unproven, task), idleSinceMs: nowMs }
  return { state: withLease(state, landed), lease: landed, flight }
}

function without<V>(map: ReadonlyMap<TaskId, V>, task: TaskId): ReadonlyMap<TaskId, V> {
  if (!map.has(task)) return map
  const rest = new Map(map)
  rest.delete(task)
  return rest
}

/** The car has done its part and is free for more; the task ends when its receipt comes. */
function noteArrival(state: ClientState, event: Extract<ClientStepEvent, { type: 'arrived' }>, nowMs: number, effects: ClientEffect[]): ClientState {
  const { car, task, attempt } = event
  const landed = landFlight(state, car, task, attempt, nowMs)
  if (landed === undefined) {
    effects.push({ type: 'drop-late', task, attempt, car })
    return state
  }
  const dueMs = nowMs + state.settings.receiptWaitMs
  const unproven = new Map(landed.lease.unproven).set(task, { task: landed.flight, dueMs })
  return { ...withLease(landed.state, { ...landed.lease, unproven }), tasksDueMs: Math.min(state.tasksDueMs, dueMs) }
}

function takeResult(state: ClientState, event: Extract<ClientStepEvent, { type: 'result' }>, nowMs: number, effects: ClientEffect[]): ClientState {
  const { car, task, attempt } = event
  const landed = landFlight(state, car, task, attempt, nowMs)
  effects.push({ type: landed === undefined ? 'drop-late' : 'deliver', task, attempt, car })
  if (landed === undefined) return state
  if (event.ranUs === undefined || event.roundTripMs === undefined) return landed.state
  const measured = { ...landed.lease, pace: noteMeasures(landed.lease.pace, event.ranUs, event.roundTripMs, nowMs) }
  return { ...withLease(landed.state, { ...measured, window: fittingWindow(measured) }), usualServiceMs: serviceMs(measured, nowMs, 0) }
}

function takeFailure(state: ClientState, event: Extract<ClientStepEvent, { type: 'failed' }>, nowMs: number, effects: ClientEffect[]): ClientState {
  const landed = landFlight(state, event.car, event.task, event.attempt, nowMs)
  if (landed === undefined) return state
  const { code, message } = event
  const leaves = state.leases.get(event.car)?.leavesAtMs !== null
  // A car that takes no more because it may leave finishes what it has.
  if (code === 'ERR_LEAVING' && !leaves && openTasks(landed.lease).length > 0) {
    const untilMs = Math.max(...openTasks(landed.lease).map(({ deadlineMs }) => deadlineMs))
    return moveFlight(askAtOnce(withLease(landed.state, { ...landed.lease, leavesAtMs: untilMs }), nowMs), landed.flight, event, effects)
  }
  if (NO_FAULT.has(code) && !leaves) return closeLease(state, event.car, 'refused', message, nowMs, effects)
  const failures = landed.flight.failures + (NO_FAULT.has(code) ? 0 : 1)
  if (!event.retryable || failures >= state.settings.maximumFailures) {
    effects.push({ type: 'fail', task: event.task, code, message })
    return landed.state
  }
  return moveFlight(landed.state, { ...landed.flight, failures }, event, effects)
}

/** Puts a task that failed on a car in front of those that wait. */
function moveFlight(
  state: ClientState,
  flight: OpenTask,
  { car, code, message }: Extract<ClientStepEvent, { type: 'failed' }>,
  effects: ClientEffect[]
): ClientState {
  effects.push({ type: 'moved', task: flight.id, from: car, reason: message })
  return { ...state, waiting: [{ ...flight, avoid: avoiding(flight, car), lastError: { code, message } }, ...state.waiting] }
}

function avoiding(task: OpenTask, car: PeerId): readonly PeerId[] {
  return task.avoid.includes(car) ? task.avoid : [...task.avoid, car]
}

function startLeaving(state: ClientState, car: PeerId, secondsLeft: number, nowMs: number, effects: ClientEffect[]): ClientState {
  const lease = state.leases.get(car)
  if (lease === undefined) return answerRefusal(state, car)
  if (secondsLeft === 0 || openTasks(lease).length === 0) return closeLease(state, car, 'leaving', 'the car leaves', nowMs, effects)
  return askAtOnce(withLease(state, { ...lease, leavesAtMs: nowMs + secondsLeft * 1000 }), nowMs)
}

function hasSaidGoodbye(state: ClientState, car: PeerId): boolean {
  return state.leases.has(car) && state.leases.get(car)?.leavesAtMs !== null
}

/** Ends a lease; its tasks go back to the front of the queue as they were, to be sent as new attempts. */
function closeLease(state: ClientState, car: PeerId, reason: LeaseEnd, why: string, nowMs: number, effects: ClientEffect[]): ClientState {
  const lease = state.leases.get(car)
  if (lease === undefined) return state
  const leases = new Map(state.leases)
  leases.delete(car)
  effects.push({ type: 'lease-closed', car, lease: lease.lease, reason, tell: reason !== 'lost' && reason !== 'released' })
  const moved = openTasks(lease).map(flight => ({ ...flight, avoid: avoiding(flight, car) }))
  for (const flight of moved) effects.push({ type: 'moved', task: flight.id, from: car, reason: why })
  const next = { ...state, leases, waiting: [...moved, ...state.waiting] }
  return next.waiting.length > 0 ? askAtOnce(next, nowMs) : next
}

function closeDueLeases(state: ClientState, nowMs: number, effects: ClientEffect[]): ClientState {
  let next = state
  for (const lease of state.leases.values()) {
    const empty = lease.flights.size === 0 && lease.unproven.size === 0
    const gone = lease.leavesAtMs !== null && (lease.leavesAtMs <= nowMs || empty)
    const overdue = state.tasksDueMs <= nowMs && hasOverdueReceipt(lease, nowMs)
    const idle = empty && state.waiting.length === 0 && nowMs - lease.idleSinceMs >= state.settings.leaseIdleMs
    if (gone) next = closeLease(next, lease.car, 'leaving', 'the car leaves', nowMs, effects)
    else if (overdue) next = closeLease(next, lease.car, 'refused', 'its receipts did not come', nowMs, effects)
    else if (idle) next = closeLease(next, lease.car, 'idle', 'no work was left', nowMs, effects)
  }
  return next
}

function cancelTask(state: ClientState, task: TaskId, nowMs: number, effects: ClientEffect[]): ClientState {
  for (const lease of state.leases.values()) {
    const flight = lease.flights.get(task) ?? lease.unproven.get(task)?.task
    if (flight === undefined) continue
    effects.push({ type: 'cancel', task, attempt: flight.attempt, car: lease.car, lease: lease.lease })
    return landFlight(state, lease.car, task, flight.attempt, nowMs)?.state ?? state
  }
  return { ...state, waiting: state.waiting.filter(waiting => waiting.id !== task) }
}

function stopAll(state: ClientState, nowMs: number, effects: ClientEffect[]): ClientState {
  let next = state
  for (const lease of state.leases.values()) {
    for (const flight of openTasks(lease)) effects.push({ type: 'cancel', task: flight.id, attempt: flight.attempt, car: lease.car, lease: lease.lease })
    const closed: ClientEffect[] = []
    next = closeLease(next, lease.car, 'stopped', 'the client stopped', nowMs, closed)
    effects.push(...closed.filter(effect => effect.type === 'lease-closed'))
  }
  for (const { id } of next.waiting)
    effects.push({ type: 'fail', task: id, code: 'ERR_STOPPED', message: 'this peer stopped before the task ended; submit it again from a running peer' })
  return { ...next, waiting: [], asking: null }
}

function hasOverdueReceipt({ unproven }: HeldLease, nowMs: number): boolean {
  for (const { dueMs } of unproven.values()) if (dueMs <= nowMs) return true
  return false
}

function earliestDueMs(state: ClientState): number {
  let earliest = Number.POSITIVE_INFINITY
  for (const task of state.waiting) earliest = Math.min(earliest, task.deadlineMs)
  for (const { flights, unproven } of state.leases.values()) {
    for (const flight of flights.values()) earliest = Math.min(earliest, flight.deadlineMs)
    for (const { task, dueMs } of unproven.values()) earliest = Math.min(earliest, task.deadlineMs, dueMs)
  }
  return earliest
}

/** The next moment at which something may be due without an event. */
function nextWakeMs(state: ClientState, nowMs: number): number | undefined {
  let next = Number.POSITIVE_INFINITY
  const due = (atMs: number): void => {
    if (atMs > nowMs && atMs < next) next = atMs
  }
  due(state.tasksDueMs)
  for (const lease of state.leases.values()) {
    if (lease.leavesAtMs !== null) due(lease.leavesAtMs)
    if (lease.flights.size === 0) due(lease.idleSinceMs + state.settings.leaseIdleMs)
  }
  if (state.asking !== null) {
    due(state.asking.roundEndsMs)
    for (const dueMs of state.asking.pending.values()) due(dueMs)
    if (state.asking.awardAtMs !== null) due(state.asking.awardAtMs)
  }
  if ((state.asking === null || state.asking.phase === 'resting') && state.waiting.length > 0) due(state.nextAskMs)
  return next === Number.POSITIVE_INFINITY ? undefined : next
}
