import { mayAdmit, NO_RISK, takeRisk } from '../placement/stays/stay-admission.ts'
import { stayStep } from '../placement/stays/stay-odds.ts'
import type { LeaseId, ModelCid, PeerId, TaskId } from '../protocol/ids.ts'
import { tasksAhead } from '../protocol/limits.ts'
import type { AdmittedTask, CarEffect, CarStepEvent, CarWork, GrantedLease } from './car-state.ts'
import { beginTurn, isSharing, pickNext } from './take-turns.ts'

type Step = readonly [CarWork, readonly CarEffect[]]

/** A run time's share in its running mean: old enough to be steady, young enough to follow a hot chip. */
const MEAN_SHARE = 0.2

/**
 * One car's decisions: which announcements to answer, which awards to grant, which task runs next, and what becomes of
 * each when the vehicle departs. Deterministic and without I/O. Every admitted task yields exactly one `reply` or `fail`,
 * unless its client cancelled it or vanished.
 * @param nowMs - the monotonic clock
 */
export function carStep(work: CarWork, event: CarStepEvent, nowMs: number): Step {
  const effects: CarEffect[] = []
  let next = apply(work, event, nowMs, effects)
  const starts: CarEffect[] = []
  next = startTasks(next, nowMs, starts)
  // A worker has its next task before the car sees to the result of the last.
  effects.unshift(...starts)
  next = finishLeaving(next, nowMs, effects)
  const wakeMs = next.leavesAtMs ?? (event.type === 'awarded' || event.type === 'woken' ? firstIdleMs(next, nowMs) : undefined)
  if (wakeMs !== undefined) effects.push({ type: 'wake', atMs: wakeMs })
  return [next, effects]
}

function apply(work: CarWork, event: CarStepEvent, nowMs: number, effects: CarEffect[]): CarWork {
  switch (event.type) {
    case 'parked':
      return {
        ...work,
        phase: 'parked',
        leavesAtMs: null,
        endsAtMs: null,
        risk: NO_RISK,
        models: new Map(event.models.map(model => [model, work.models.get(model) ?? null])),
        leases: new Map(),
        tasks: new Map(),
        turns: { now: 0, clients: new Map() },
        answered: new Map()
      }
    case 'announced':
      return answerAnnouncement(work, event, nowMs, effects)
    case 'awarded':
      return answerAward(work, event, nowMs, effects)
    case 'task':
      return admitTask(work, event, nowMs, effects)
    case 'ran':
      return takeRun(work, event, effects)
    case 'run-failed':
      return takeFailure(work, event, effects)
    case 'cancelled':
      return dropTasks(
        work,
        task => task.task === event.task && task.attempt === event.attempt && task.lease === event.lease && task.client === event.client,
        effects
      )
    case 'released':
      return work.leases.get(event.lease)?.client === event.client ? endLease(work, event.lease, effects) : work
    case 'client-lost':
      return loseClient(work, event.client, effects)
    case 'end-expected':
      return { ...work, endsAtMs: event.atMs }
    case 'departing':
      return depart(work, event, nowMs, effects)
    case 'woken':
      return endIdleLeases(work, nowMs, effects)
  }
}

const keyOf = (lease: LeaseId, task: TaskId, attempt: number): string => `${lease}/${task}/${attempt}`

/** What each worker has of tasks of any length: one that runs and the next. */
const LEAST_AHEAD = 2

/** Tasks that a car takes on at once: those that run and those kept ready. */
const depth = ({ settings }: CarWork): number => settings.slots + settings.ahead

/**
 * The depth while one client has the car to itself: of short tasks, whose wait costs a newcomer little, more are handed over, so that
 * the line before the workers has enough for whatever place one of them has free.
 */
function depthAlone(work: CarWork): number {
  let longestUs = 0
  for (const { model } of work.leases.values()) longestUs = Math.max(longestUs, work.models.get(model) ?? Number.POSITIVE_INFINITY)
  return Math.max(depth(work), work.settings.slots * (LEAST_AHEAD + tasksAhead(longestUs)))
}

/** Tasks that run at the same time: one in each worker, or what gathers there for a batch. */
const parallel = ({ settings }: CarWork): number => Math.max(settings.slots, settings.ahead)

/**
 * Tasks that one client may have under way here. Many more than run: on a line of 300 ms, 300 inputs of a model of 1 ms
 * are on their way while one runs. How many it uses is the client's choice, from its own round trip.
 */
const LEASE_SLOTS = 512

function answerAnnouncement(work: CarWork, event: Extract<CarStepEvent, { type: 'announced' }>, nowMs: number, effects: CarEffect[]): CarWork {
  const runUs = work.models.get(event.model)
  if (work.phase !== 'parked' || runUs === undefined || work.answered.has(event.ask) || isFull(work, nowMs)) return work
  if (!staysFor(work, event.stay) || !endsInTime(work, event.model, nowMs)) return work
  // A car that others keep busy is left in peace while free ones may answer; when all are asked, it shares what it has.
  if (work.tasks.size >= work.settings.slots && (!event.asksAll || hasWorkOf(work, event.client))) return work
  const answered = new Map([...work.answered].filter(([, expiresMs]) => expiresMs > nowMs)).set(event.ask, event.expiresMs)
  const queued = work.tasks.size
  effects.push({
    type: 'offer',
    ask: event.ask,
    client: event.client,
    model: event.model,
    slots: LEASE_SLOTS,
    parallel: parallel(work),
    queued,
    completionUs: Math.round((runUs ?? 0) * (Math.min(queued, depth(work)) + 1)),
    runUs: Math.round(runUs ?? 0),
    stay: typeof event.stay === 'number' ? stayStep(event.stay) : null
  })
  return { ...work, answered }
}

function hasWorkOf(work: CarWork, client: PeerId): boolean {
  for (const task of work.tasks.values()) if (task.client === client) return true
  return false
}

function answerAward(work: CarWork, event: Extract<CarStepEvent, { type: 'awarded' }>, nowMs: number, effects: CarEffect[]): CarWork {
  const { lease, client, model } = event
  const refuse = (code: 'ERR_LEAVING' | 'ERR_MODEL_UNKNOWN' | 'ERR_BUSY', retryAfterMs: number): CarWork => {
    effects.push({ type: 'refuse', client, lease, code, retryAfterMs })
    return work
  }
  if (work.phase !== 'parked') return refuse('ERR_LEAVING', 0)
  if (!work.models.has(model)) return refuse('ERR_MODEL_UNKNOWN', 0)
  if (isFull(work, nowMs)) return refuse('ERR_BUSY', 1000)
  const slots = Math.min(event.slots, LEASE_SLOTS)
  effects.push({ type: 'grant', client, lease, slots })
  const granted: GrantedLease = { lease, client, model, slots, weight: event.weight ?? 1, lastTaskMs: nowMs, open: 0 }
  const open = work.leases.size < work.settings.maximumLeases ? work : endLongestIdle(work, nowMs, effects)
  return { ...open, leases: new Map(open.leases).set(lease, granted) }
}

function admitTask(work: CarWork, event: Extract<CarStepEvent, { type: 'task' }>, nowMs: number, effects: CarEffect[]): CarWork {
  const { lease, client, task, attempt, deadlineMs } = event
  const held = work.leases.get(lease)
  const refuse = (code: 'ERR_LEAVING' | 'ERR_EXPIRED' | 'ERR_BUSY' | 'ERR_ATTEMPT_USED', message: string): CarWork => {
    effects.push({ type: 'fail', client, lease, task, attempt, code, message, retryable: true })
    return work
  }
  if (work.phase !== 'parked') return refuse('ERR_LEAVING', 'the vehicle departs; another car will do it')
  if (held === undefined || held.client !== client) return refuse('ERR_EXPIRED', 'no such lease is open here; ask for a new one')
  if (work.tasks.has(keyOf(lease, task, attempt))) return work
  if (!staysFor(work, event.stay)) return refuse('ERR_LEAVING', 'the vehicle may be needed before this would be done; another car will do it')
  if (held.open >= held.slots) return refuse('ERR_BUSY', `the lease grants ${held.slots} tasks at once; wait for a result`)
  if (!endsInTime(work, held.model, nowMs)) return refuse('ERR_LEAVING', 'the vehicle departs before it would be done; another car will do it')
  const admitted: AdmittedTask = { task, attempt, lease, client, model: held.model, deadlineMs, startedMs: null }
  const risk = typeof event.stay === 'number' ? takeRisk(work.risk, event.stay, work.settings.admission) : work.risk
  work.tasks.set(keyOf(lease, task, attempt), admitted)
  held.lastTaskMs = nowMs
  held.open++
  return risk === work.risk ? work : { ...work, risk }
}

/** Whether the car is likely enough to be there when this is done; one that can't tell tries. */
function staysFor({ settings, risk }: CarWork, odds: number | null | undefined): boolean {
  return odds === undefined || odds === null || mayAdmit(risk, odds, settings.admission)
}

/** Hands waiting tasks to the workers, each time the oldest of the client whose turn it is. */
function startTasks(work: CarWork, nowMs: number, effects: CarEffect[]): CarWork {
  let next = work
  const shared = isSharing(work, nowMs)
  const limit = Math.min(shared ? depth(work) : depthAlone(work), work.tasks.size)
  let started = 0
  for (const { startedMs } of work.tasks.values()) if (startedMs !== null) started++
  for (; started < limit; started++) {
    const best = pickNext(next, started, shared)
    if (best === undefined) break
    const running = { ...best, startedMs: nowMs }
    effects.push({ type: 'run', task: running })
    next.tasks.set(keyOf(best.lease, best.task, best.attempt), running)
    next = { ...next, turns: beginTurn(next, best) }
  }
  return next
}

function removeTask(work: CarWork, lease: LeaseId, task: TaskId, attempt: number): AdmittedTask | undefined {
  return takeOff(work, keyOf(lease, task, attempt))
}

function takeOff({ tasks, leases }: CarWork, key: string): AdmittedTask | undefined {
  const admitted = tasks.get(key)
  if (admitted === undefined) return undefined
  tasks.delete(key)
  const held = leases.get(admitted.lease)
  if (held !== undefined) held.open--
  return admitted
}

function takeRun(work: CarWork, event: Extract<CarStepEvent, { type: 'ran' }>, effects: CarEffect[]): CarWork {
  const removed = removeTask(work, event.lease, event.task, event.attempt)
  if (removed === undefined) return work
  effects.push({ type: 'reply', lease: event.lease, task: event.task, attempt: event.attempt })
  const { model } = removed
  const usual = work.models.get(model)
  const mean = usual === null || usual === undefined ? event.ranUs : usual * (1 - MEAN_SHARE) + event.ranUs * MEAN_SHARE
  work.models.set(model, mean)
  return work
}

function takeFailure(work: CarWork, event: Extract<CarStepEvent, { type: 'run-failed' }>, effects: CarEffect[]): CarWork {
  const removed = removeTask(work, event.lease, event.task, event.attempt)
  if (removed === undefined) return work
  const { lease, task, attempt, code, message, retryable } = event
  effects.push({ type: 'fail', client: removed.client, lease, task, attempt, code, message, retryable })
  return work
}

/** Forgets tasks and stops what runs of them; nobody is told. */
function dropTasks(work: CarWork, matches: (task: AdmittedTask) => boolean, effects: CarEffect[]): CarWork {
  for (const [key, task] of work.tasks) {
    if (!matches(task)) continue
    takeOff(work, key)
    effects.push({ type: 'abort', lease: task.lease, task: task.task, attempt: task.attempt })
  }
  return work
}

function endLease(work: CarWork, lease: LeaseId, effects: CarEffect[]): CarWork {
  const leases = new Map(work.leases)
  leases.delete(lease)
  return dropTasks({ ...work, leases }, task => task.lease === lease, effects)
}

/** A client that has nothing to do here gives its place up; it may ask again. */
function endIdleLeases(work: CarWork, nowMs: number, effects: CarEffect[]): CarWork {
  return idleLeases(work, nowMs - work.settings.leaseIdleMs).reduce((next, lease) => giveUp(next, lease, effects), work)
}

function idleLeases(work: CarWork, sinceMs: number): readonly GrantedLease[] {
  return [...work.leases.values()].filter(({ client, lastTaskMs }) => lastTaskMs <= sinceMs && !hasWorkOf(work, client))
}

/** Whether every place is in use; one that only rests can be given to another. */
function isFull(work: CarWork, nowMs: number): boolean {
  return work.leases.size >= work.settings.maximumLeases && idleLeases(work, nowMs - work.settings.sharingMs).length === 0
}

function endLongestIdle(work: CarWork, nowMs: number, effects: CarEffect[]): CarWork {
  const [longest] = idleLeases(work, nowMs - work.settings.sharingMs).toSorted((left, right) => left.lastTaskMs - right.lastTaskMs)
  return longest === undefined ? work : giveUp(work, longest, effects)
}

function giveUp(work: CarWork, { client, lease }: GrantedLease, effects: CarEffect[]): CarWork {
  effects.push({ type: 'end-lease', client, lease })
  return endLease(work, lease, effects)
}

/** When the next lease may be idle for too long; one that has work is looked at again later. */
function firstIdleMs({ leases, settings }: CarWork, nowMs: number): number | undefined {
  if (leases.size === 0) return undefined
  const firstMs = Math.min(...[...leases.values()].map(({ lastTaskMs }) => lastTaskMs)) + settings.leaseIdleMs
  return Math.max(firstMs, nowMs + settings.leaseIdleMs / 8)
}

function loseClient(work: CarWork, client: PeerId, effects: CarEffect[]): CarWork {
  let next = work
  for (const lease of work.leases.values()) if (lease.client === client) next = endLease(next, lease.lease, effects)
  return next
}

/** Tells every client, keeps what should end in the time left, and hands the rest back at once. */
function depart(work: CarWork, event: Extract<CarStepEvent, { type: 'departing' }>, nowMs: number, effects: CarEffect[]): CarWork {
  if (work.phase === 'away') return work
  const leavesAtMs = nowMs + event.secondsLeft * 1000
  // Its clients know already.
  if (work.leavesAtMs !== null && leavesAtMs >= work.leavesAtMs) return work
  const clients = new Set<PeerId>([...work.leases.values()].map(lease => lease.client))
  effects.push({ type: 'tell-leaving', clients: [...clients], secondsLeft: Math.ceil(event.secondsLeft), reason: event.reason })
  const leaving: CarWork = { ...work, phase: 'leaving', leavesAtMs }
  return handBack(leaving, task => !fits(work, task, nowMs, leavesAtMs), effects)
}

/** A run time to reckon with where none is known, ms: most models answer within seconds. */
const UNKNOWN_RUN_MS = 5000
/** Reading, signing and sending take time too, and runs vary. */
const SPARE_MS = 500

/** How long what a car has taken on will take, and after it one more task: of `model`, or of the slowest that it holds. */
export function drainMs(work: CarWork, model?: ModelCid): number {
  const usualMs = (cid: ModelCid): number => {
    const usualUs = work.models.get(cid)
    return usualUs === null || usualUs === undefined ? UNKNOWN_RUN_MS : usualUs / 1000
  }
  let waitMs = 0
  for (const task of work.tasks.values()) waitMs += usualMs(task.model)
  const nextMs = model === undefined ? Math.max(0, ...[...work.tasks.values()].map(task => usualMs(task.model))) : usualMs(model)
  return waitMs / work.settings.slots + nextMs
}

function endsInTime(work: CarWork, model: ModelCid, nowMs: number): boolean {
  return work.endsAtMs === null || nowMs + drainMs(work, model) + SPARE_MS <= work.endsAtMs
}

/** Whether a task that runs should be done by then, by the usual time of its model. */
function fits(work: CarWork, task: AdmittedTask, nowMs: number, leavesAtMs: number): boolean {
  const usualUs = work.models.get(task.model)
  if (task.startedMs === null || usualUs === null || usualUs === undefined) return false
  return Math.max(nowMs, task.startedMs + usualUs / 1000) <= leavesAtMs
}

function handBack(work: CarWork, matches: (task: AdmittedTask) => boolean, effects: CarEffect[]): CarWork {
  for (const [key, task] of work.tasks) {
    if (!matches(task)) continue
    takeOff(work, key)
    if (task.startedMs !== null) effects.push({ type: 'abort', lease: task.lease, task: task.task, attempt: task.attempt })
    effects.push({
      type: 'fail',
      client: task.client,
      lease: task.lease,
      task: task.task,
      attempt: task.attempt,
      code: 'ERR_LEAVING',
      message: 'the vehicle departs; another car will do it',
      retryable: true
    })
  }
  return work
}

function finishLeaving(work: CarWork, nowMs: number, effects: CarEffect[]): CarWork {
  if (work.phase !== 'leaving' || work.leavesAtMs === null || (work.tasks.size > 0 && nowMs < work.leavesAtMs)) return work
  const empty = handBack(work, () => true, effects)
  effects.push({ type: 'gone' })
  return { ...empty, phase: 'away', leavesAtMs: null, endsAtMs: null, leases: new Map(), answered: new Map() }
}
