import type { ClientEffect, ClientState, HeldLease, OpenTask } from './client-state.ts'

/** Ends tasks whose deadline has passed, waiting or on a car. */
export function expireTasks(state: ClientState, nowMs: number, effects: ClientEffect[]): ClientState {
  const late = (task: OpenTask): boolean => task.deadlineMs <= nowMs
  let { leases } = state
  for (const lease of state.leases.values()) {
    if (!someLate(lease, nowMs)) continue
    const overdue = [...lease.flights.values(), ...[...lease.unproven.values()].map(({ task }) => task)].filter(late)
    const flights = new Map(lease.flights)
    const unproven = new Map(lease.unproven)
    for (const flight of overdue) {
      flights.delete(flight.id)
      unproven.delete(flight.id)
      effects.push({ type: 'cancel', task: flight.id, attempt: flight.attempt, car: lease.car, lease: lease.lease }, deadlineFailure(state, flight))
    }
    leases = new Map(leases).set(lease.car, { ...lease, flights, unproven, idleSinceMs: nowMs })
  }
  const overdue = state.waiting.some(late) ? state.waiting.filter(late) : []
  for (const task of overdue) effects.push(deadlineFailure(state, task))
  return overdue.length === 0 && leases === state.leases
    ? state
    : { ...state, leases, waiting: overdue.length === 0 ? state.waiting : state.waiting.filter(task => !late(task)) }
}

/** Asked at every step, and almost always no. */
function someLate({ flights, unproven }: HeldLease, nowMs: number): boolean {
  for (const task of flights.values()) if (task.deadlineMs <= nowMs) return true
  for (const { task } of unproven.values()) if (task.deadlineMs <= nowMs) return true
  return false
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
export function assignTasks(state: ClientState, nowMs: number, effects: ClientEffect[]): ClientState {
  if (state.waiting.length === 0 || state.leases.size === 0) return state
  const leases = new Map(state.leases)
  const left: OpenTask[] = []
  let sent = 0
  for (const task of state.waiting) {
    const lease = pickLease(task, leases)
    if (lease === undefined) {
      left.push(task)
      continue
    }
    const flight: OpenTask = { ...task, attempt: task.attempt + 1 }
    leases.set(lease.car, { ...lease, flights: new Map(lease.flights).set(task.id, flight), idleSinceMs: nowMs })
    effects.push({ type: 'send', task: task.id, attempt: flight.attempt, car: lease.car, lease: lease.lease, deadlineMs: task.deadlineMs })
    sent++
  }
  return sent === 0 ? state : { ...state, leases, waiting: left }
}

function pickLease(task: OpenTask, leases: ReadonlyMap<string, HeldLease>): HeldLease | undefined {
  let best: HeldLease | undefined
  let others = false
  for (const lease of leases.values()) {
    if (lease.leavesAtMs !== null) continue
    if (task.avoid.includes(lease.car)) continue
    others = true
    if (lease.flights.size < lease.window && (best === undefined || lease.flights.size / lease.window < best.flights.size / best.window)) best = lease
  }
  if (best !== undefined || others) return best
  for (const lease of leases.values()) if (lease.leavesAtMs === null && lease.flights.size < lease.window) return lease
  return undefined
}
