import type { LeaseId, PeerId } from '../protocol/ids.ts'
import type { AdmittedTask, CarWork, Turns } from './car-state.ts'

/**
 * While several clients share the car, runs this long are handed over one by one, so that a newcomer waits for the rest of one
 * run; the worker stands idle for some 0.3 ms between two. Of shorter ones the next is there too, and a newcomer waits for two.
 */
const LONG_RUN_US = 4000
/** What a turn is taken to cost while a model's run time is unknown, microseconds. */
const UNKNOWN_RUN_US = 1000

/**
 * Whether several clients use the car now. Then little is handed to the workers ahead of time, or nothing, since what they have
 * is out of turn; a car with one client keeps as much ready as it can run together.
 */
export function isSharing({ leases, settings }: CarWork, nowMs: number): boolean {
  let one: PeerId | undefined
  for (const { client, lastTaskMs } of leases.values()) {
    if (nowMs - lastTaskMs >= settings.sharingMs) continue
    if (one !== undefined && one !== client) return true
    one = client
  }
  return false
}

/** The oldest waiting task of the client whose turn starts first; undefined where none waits, or clients share the car and its workers have enough. */
export function pickNext(work: CarWork, handedOver: number, shared: boolean): AdmittedTask | undefined {
  let best: AdmittedTask | undefined
  let least = Number.POSITIVE_INFINITY
  const seen = new Set<LeaseId>()
  for (const task of work.tasks.values()) {
    if (task.startedMs !== null || seen.has(task.lease)) continue
    seen.add(task.lease)
    const start = turnOf(work.turns, task.client)
    if (start < least) [best, least] = [task, start]
  }
  if (best === undefined || !shared) return best
  const perWorker = (work.models.get(best.model) ?? UNKNOWN_RUN_US) < LONG_RUN_US ? 2 : 1
  return handedOver < work.settings.slots * perWorker ? best : undefined
}

/** The turns after a task has begun: its client's next one starts when this is paid for. */
export function beginTurn({ turns, leases, models }: CarWork, { client, model, lease }: AdmittedTask): Turns {
  const start = turnOf(turns, client)
  const present = new Set([...leases.values()].map(lease => lease.client))
  const clients = new Map([...turns.clients].filter(([known, next]) => present.has(known) && next > start))
  const cost = (models.get(model) ?? UNKNOWN_RUN_US) / (leases.get(lease)?.weight ?? 1)
  return { now: start, clients: clients.set(client, start + cost) }
}

function turnOf({ now, clients }: Turns, client: PeerId): number {
  return Math.max(now, clients.get(client) ?? 0)
}
