import type { PeerId, TaskId } from '../../protocol/ids.ts'
import { answerRefusal, askAtOnce } from './ask-cars.ts'
import type { ClientEffect, ClientState, ClientStepEvent, HeldLease, LeaseEnd, OpenTask } from './client-state.ts'
import { firstPace, noteAnswer } from './pace.ts'

/** Tasks that a lease has not ended: under way, and waiting for receipts. */
export function openTasks(lease: HeldLease): readonly OpenTask[] {
  return [...lease.flights.values(), ...[...lease.unproven.values()].map(({ task }) => task)]
}

/** A car granted its award. */
export function openLease(state: ClientState, event: Extract<ClientStepEvent, { type: 'granted' }>, nowMs: number, effects: ClientEffect[]): void {
  const { car, lease, slots, parallel, runUs = 0 } = event
  effects.push({ type: 'lease-opened', car, slots })
  state.leases.set(car, {
    lease,
    car,
    slots,
    parallel,
    window: Math.min(slots, 2 * parallel),
    pace: firstPace(runUs, nowMs),
    flights: new Map(),
    unproven: new Map(),
    idleSinceMs: nowMs,
    leavesAtMs: null
  })
  state.backlogSinceMs = null
  state.everLeased = true
  state.trouble = null
  state.askPauseMs = state.settings.askPauseMs
  const { asking } = state
  if (asking === null || !asking.pending.has(car)) return
  const pending = new Map(asking.pending)
  pending.delete(car)
  state.asking = { ...asking, pending, carsWon: asking.carsWon + 1 }
}

/** A task on its lease, under way or waiting for its receipt; undefined when that attempt is not the current one there. */
export function flightOf(lease: HeldLease | undefined, task: TaskId, attempt: number): OpenTask | undefined {
  const flight = lease?.flights.get(task) ?? lease?.unproven.get(task)?.task
  return flight?.attempt === attempt ? flight : undefined
}

/** Takes a task off its lease. */
export function landFlight(lease: HeldLease, task: TaskId, nowMs: number): void {
  if (lease.flights.delete(task)) noteAnswer(lease.pace, lease.flights.size, nowMs)
  lease.unproven.delete(task)
  lease.idleSinceMs = nowMs
}

/** The car's vehicle is needed: it finishes what it can in that time. */
export function startLeaving(state: ClientState, car: PeerId, secondsLeft: number, nowMs: number, effects: ClientEffect[]): void {
  const lease = state.leases.get(car)
  if (lease === undefined) return answerRefusal(state, car)
  if (secondsLeft === 0 || isEmpty(lease)) return closeLease(state, car, 'leaving', 'the car leaves', nowMs, effects)
  lease.leavesAtMs = nowMs + secondsLeft * 1000
  askAtOnce(state, nowMs)
}

/** Ends a lease; its tasks go back to the front of the queue as they were, to be sent as new attempts. */
export function closeLease(state: ClientState, car: PeerId, reason: LeaseEnd, why: string, nowMs: number, effects: ClientEffect[]): void {
  const lease = state.leases.get(car)
  if (lease === undefined) return
  state.leases.delete(car)
  effects.push({ type: 'lease-closed', car, lease: lease.lease, reason, tell: reason !== 'lost' && reason !== 'released' })
  const moved = openTasks(lease)
  for (const flight of moved) {
    avoidCar(flight, car)
    effects.push({ type: 'moved', task: flight.id, from: car, reason: why })
  }
  state.waiting.unshift(moved)
  if (state.waiting.length > 0) askAtOnce(state, nowMs)
}

/** The task goes to that car again only when nobody else is there. */
export function avoidCar(task: OpenTask, car: PeerId): void {
  if (!task.avoid.includes(car)) task.avoid = [...task.avoid, car]
}

/** Ends leases whose car is gone, owes a receipt for too long, or has nothing to do. */
export function closeDueLeases(state: ClientState, nowMs: number, effects: ClientEffect[]): void {
  const isBusy = state.waiting.length > 0
  const mayOwe = state.tasksDueMs <= nowMs
  for (const lease of state.leases.values()) {
    const empty = isEmpty(lease)
    if (lease.leavesAtMs !== null && (lease.leavesAtMs <= nowMs || empty)) {
      closeLease(state, lease.car, 'leaving', 'the car leaves', nowMs, effects)
    } else if (mayOwe && hasOverdueReceipt(lease, nowMs)) {
      closeLease(state, lease.car, 'refused', 'its receipts did not come', nowMs, effects)
    } else if (empty && !isBusy && nowMs - lease.idleSinceMs >= state.settings.leaseIdleMs) {
      closeLease(state, lease.car, 'idle', 'no work was left', nowMs, effects)
    }
  }
}

function isEmpty({ flights, unproven }: HeldLease): boolean {
  return flights.size === 0 && unproven.size === 0
}

function hasOverdueReceipt({ unproven }: HeldLease, nowMs: number): boolean {
  for (const { dueMs } of unproven.values()) if (dueMs <= nowMs) return true
  return false
}
