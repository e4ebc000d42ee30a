import type { LeaseId, ModelCid, PeerId } from '../protocol/ids.ts'
import type { AdmittedTask, CarWork, Turns } from './car-state.ts'

/** In the worker while several clients share it: one that runs and the next, so that a newcomer waits for these two at most. */
const SHARED_DEPTH = 2
/** What a turn is taken to cost while a model's run time is unknown, microseconds. */
const UNKNOWN_RUN_US = 1000

/**
 * Whether several clients use the car now. Then little is handed to the workers ahead of time, since what they have is out of
 * turn; a car with one client keeps as much ready as it can run together.
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

/** Whether one more task of a model may go to its worker. */
export function handOverLimit(work: CarWork, depth: number, shared: boolean): (model: ModelCid) => boolean {
  const perModel = new Map<ModelCid, number>()
  let all = 0
  for (const { model, startedMs } of work.tasks.values()) {
    if (startedMs === null) continue
    all++
    perModel.set(model, (perModel.get(model) ?? 0) + 1)
  }
  return model => all < depth && (!shared || (perModel.get(model) ?? 0) < SHARED_DEPTH)
}

/** The oldest waiting task, that may be handed over, of the client whose turn starts first. */
export function pickNext(work: CarWork, mayStart: (model: ModelCid) => boolean): AdmittedTask | undefined {
  let best: AdmittedTask | undefined
  let least = Number.POSITIVE_INFINITY
  const seen = new Set<LeaseId>()
  for (const task of work.tasks.values()) {
    if (task.startedMs !== null || seen.has(task.lease)) continue
    seen.add(task.lease)
    if (!mayStart(task.model)) continue
    const start = turnOf(work.turns, task.client)
    if (start < least) [best, least] = [task, start]
  }
  return best
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
