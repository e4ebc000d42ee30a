import type { ClientEffect, ClientState, HeldLease, OpenTask } from './client-state.ts'
import { openTasks } from './hold-leases.ts'
import { noteSent } from './pace.ts'

/** Bytes of inputs that may be under way to one car beyond its first two tasks; large inputs fill a line by themselves. */
const LEASE_BYTES = 64 * 1024 * 1024
/** Inputs below this never come to that, with as many as a car grants. */
const SMALL_BYTES = 64 * 1024

/** Ends tasks whose deadline has passed, waiting or on a car. */
export function expireTasks(state: ClientState, nowMs: number, effects: ClientEffect[]): void {
  const late = (task: OpenTask): boolean => task.deadlineMs <= nowMs
  for (const lease of state.leases.values()) {
    for (const flight of openTasks(lease).filter(late)) {
      lease.flights.delete(flight.id)
      lease.unproven.delete(flight.id)
      lease.idleSinceMs = nowMs
      effects.push({ type: 'cancel', task: flight.id, attempt: flight.attempt, car: lease.car, lease: lease.lease }, deadlineFailure(state, flight))
    }
  }
  for (const task of state.waiting.remove(late)) effects.push(deadlineFailure(state, task))
}

function deadlineFailure(state: ClientState, task: OpenTask): ClientEffect {
  if (task.attempt === 0 && !state.everLeased) {
    return {
      type: 'fail',
      task: task.id,
      code: 'ERR_NO_CAR',
      message: `no car took the task before its deadline: ${state.trouble ?? 'nobody offered'}; check that cars with this model are parked and reachable, or allow more time`
    }
  }
  const last = task.lastError === null ? '' : ` (last: ${task.lastError.message})`
  return {
    type: 'fail',
    task: task.id,
    code: 'ERR_DEADLINE',
    message: `the deadline passed after ${task.attempt} attempt${task.attempt === 1 ? '' : 's'}${last}; allow more time or submit less at once`
  }
}

/** Sends waiting tasks, oldest first, each to the least loaded lease with a free slot that it may use. */
export function assignTasks(state: ClientState, nowMs: number, effects: ClientEffect[]): void {
  const { waiting, leases } = state
  if (waiting.length === 0 || leases.size === 0) return
  const passedOver: OpenTask[] = []
  for (let room = roomOf(leases); room > 0; ) {
    const task = waiting.shift()
    if (task === undefined) break
    const lease = pickLease(task, leases)
    if (lease === undefined) {
      passedOver.push(task)
      continue
    }
    noteSent(lease.pace, lease.flights.size, nowMs)
    task.attempt++
    lease.flights.set(task.id, task)
    lease.idleSinceMs = nowMs
    effects.push({ type: 'send', task: task.id, attempt: task.attempt, car: lease.car, lease: lease.lease, deadlineMs: task.deadlineMs })
    room--
  }
  waiting.unshift(passedOver)
}

/** Tasks that all leases together have room for, whatever these are. */
function roomOf(leases: ReadonlyMap<string, HeldLease>): number {
  let room = 0
  for (const { flights, window, leavesAtMs } of leases.values()) if (leavesAtMs === null) room += Math.max(0, window - flights.size)
  return room
}

function pickLease(task: OpenTask, leases: ReadonlyMap<string, HeldLease>): HeldLease | undefined {
  let best: HeldLease | undefined
  let others = false
  for (const lease of leases.values()) {
    if (lease.leavesAtMs !== null) continue
    if (task.avoid.includes(lease.car)) continue
    others = true
    if (hasRoom(lease, task) && (best === undefined || lease.flights.size / lease.window < best.flights.size / best.window)) best = lease
  }
  if (best !== undefined || others) return best
  for (const lease of leases.values()) if (lease.leavesAtMs === null && hasRoom(lease, task)) return lease
  return undefined
}

function hasRoom({ flights, window }: HeldLease, { inputBytes }: OpenTask): boolean {
  if (flights.size >= window) return false
  if (flights.size < 2 || inputBytes < SMALL_BYTES) return true
  let bytes = inputBytes
  for (const flight of flights.values()) bytes += flight.inputBytes
  return bytes <= LEASE_BYTES
}
