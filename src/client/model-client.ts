import type { ClientJournal } from '../ledger/store/client-journal.ts'
import type { Link, Mesh, TransferBody } from '../mesh/mesh.ts'
import { MotorpoolError } from '../protocol/errors.ts'
import { fromHex, type LeaseId, type PeerId } from '../protocol/ids.ts'
import type { Clock, Signer } from '../protocol/signer.ts'
import type { ResultHead } from '../protocol/transfer.ts'
import { createAskBoard } from './ask-board.ts'
import type { ClientCounts, TaskResult } from './client.ts'
import { type AwardedLease, type createMemory, type HeardOffer, quietly, writeAward } from './contacts.ts'
import { type AskedModel, describeModel } from './find-model.ts'
import { type ClientEffect, type ClientSettings, type ClientState, type ClientStepEvent, initialClientState } from './steps/client-state.ts'
import { clientSteps } from './steps/client-step.ts'
import type { TaskSubmission } from './tasks/submission.ts'
import { createSubmissions } from './tasks/submissions.ts'

export interface ModelClientInit {
  readonly mesh: Mesh
  readonly model: AskedModel
  readonly account: Signer
  readonly settings?: Partial<ClientSettings>
  readonly clock: Clock
  readonly randomBytes: (length: number) => Uint8Array
  readonly journal: ClientJournal
  readonly memory: ReturnType<typeof createMemory>
  readonly ceiling: number
  readonly unit: string
}

/** What one client does for one model: runs the step and carries out its effects on the mesh. */
export interface ModelClient {
  run: (submission: TaskSubmission) => Promise<TaskResult>
  /** Whether the announcement of this id (hex) is ours. */
  asked: (ask: string) => boolean
  holds: (lease: LeaseId) => boolean
  offered: (heard: HeardOffer) => void
  granted: (link: Link, lease: LeaseId, slots: number) => void
  receipts: (link: Link, lease: LeaseId, flush: Uint8Array, leaves: readonly Uint8Array[]) => void
  refused: (link: Link, lease: LeaseId) => void
  ended: (link: Link, lease: LeaseId) => void
  failed: (link: Link, failure: Omit<Extract<ClientStepEvent, { type: 'failed' }>, 'type' | 'car'>) => void
  received: (link: Link, head: ResultHead, body: TransferBody) => void
  leaving: (car: PeerId, secondsLeft: number) => void
  lost: (car: PeerId, reason: string) => void
  /** Cars that this client waits for. */
  cars: () => readonly PeerId[]
  counts: () => ClientCounts
  stop: () => void
}

/** A run's share in the running mean that announcements tell, in coarse buckets. */
const MEAN_SHARE = 0.2

export function createModelClient(init: ModelClientInit): ModelClient {
  const { model, clock, account, memory } = init
  const awards = new Map<PeerId, AwardedLease>()
  const stopped = new AbortController()
  let droppedLate = 0
  let state: ClientState = initialClientState({
    ceiling: init.ceiling,
    unit: init.unit,
    settings: init.settings,
    trouble: `no peer is known that runs ${describeModel(model)}`
  })
  let gathered: ClientStepEvent[] = []
  let timer: NodeJS.Timeout | undefined
  let timerAtMs = Number.POSITIVE_INFINITY
  let usualRunUs: number | null = null
  const shared = { ...init, awards, signal: stopped.signal, step }
  const submissions = createSubmissions(shared)
  const board = createAskBoard({ ...shared, tell: submissions.tell, oldestTask, usualRunUs: () => usualRunUs })

  /** Tasks that are submitted or done come many at once: those of one turn make one step. Anything else takes effect at once. */
  function step(event: ClientStepEvent): void {
    if (event.type === 'result' && event.ranUs !== undefined) usualRunUs = (usualRunUs ?? event.ranUs) * (1 - MEAN_SHARE) + event.ranUs * MEAN_SHARE
    gathered.push(event)
    if (event.type !== 'submitted' && event.type !== 'arrived' && event.type !== 'result') stepGathered()
    else if (gathered.length === 1) queueMicrotask(stepGathered)
  }

  function stepGathered(): void {
    if (gathered.length === 0) return
    const events = gathered
    gathered = []
    const [next, effects] = clientSteps(state, events, clock.monotonicMs())
    state = next
    for (const effect of effects) carryOut(effect)
  }

  function carryOut(effect: ClientEffect): void {
    switch (effect.type) {
      case 'discover':
        return void board.discover(effect.ask)
      case 'announce':
        return void board.announce(effect)
      case 'watch':
        return board.watch(effect.ask)
      case 'award':
        return award(effect)
      case 'decline':
        return board.decline(effect.ask, effect.cars)
      case 'send':
        return submissions.send(effect)
      case 'cancel':
        return quietly(() =>
          awards.get(effect.car)?.heard.contact.link.send({ type: 'cancel', lease: fromHex(effect.lease), task: fromHex(effect.task), attempt: effect.attempt })
        )
      case 'lease-opened':
        return submissions.tell({ type: 'lease-opened', car: effect.car, slots: effect.slots })
      case 'lease-closed':
        return closeLease(effect)
      case 'moved':
        return submissions.move(effect)
      case 'deliver':
        return submissions.deliver(effect.task)
      case 'drop-late': {
        droppedLate++
        return submissions.tell({ type: 'dropped-late', task: effect.task, attempt: effect.attempt, car: effect.car })
      }
      case 'fail':
        return submissions.fail(effect.task, new MotorpoolError(effect.code, effect.message))
      case 'wake':
        return wakeAt(effect.atMs)
    }
  }

  /** A timer that is set for an earlier moment stays: it asks again, and most moments move on before they come. */
  function wakeAt(atMs: number): void {
    if (timerAtMs <= atMs) return
    clearTimeout(timer)
    timerAtMs = atMs
    timer = setTimeout(wake, Math.max(0, Math.min(2 ** 30, Math.ceil(atMs - clock.monotonicMs()))))
  }

  function wake(): void {
    timerAtMs = Number.POSITIVE_INFINITY
    step({ type: 'woken' })
  }

  function oldestTask(): { readonly inputBytes: number; readonly deadlineMs: number } | undefined {
    const [oldest] = state.waiting
    return oldest === undefined ? undefined : { inputBytes: submissions.inputBytesOf(oldest.id), deadlineMs: oldest.deadlineMs }
  }

  function award({ ask, car, slots }: Extract<ClientEffect, { type: 'award' }>): void {
    const heard = board.offerOf(ask, car)
    if (heard === undefined) return
    const { held, envelope } = writeAward(account, heard, slots, init.randomBytes(16), Math.floor(clock.unixMs() / 1000))
    awards.set(car, held)
    try {
      heard.contact.link.send({ type: 'award', award: envelope })
    } catch {
      queueMicrotask(() => step({ type: 'refused', car }))
    }
  }

  function closeLease(effect: Extract<ClientEffect, { type: 'lease-closed' }>): void {
    const held = awards.get(effect.car)
    if (held?.lease === effect.lease) {
      if (effect.reason === 'lost') memory.record(held.heard.contact.account, 'failed', clock.unixMs())
      if (effect.tell) quietly(() => held.heard.contact.link.send({ type: 'release', lease: fromHex(effect.lease) }))
      awards.delete(effect.car)
    }
    submissions.tell({ type: 'lease-closed', car: effect.car, reason: effect.reason })
  }

  /** Steps for a car whose lease it is. */
  function about(link: Link, lease: LeaseId, event: (car: PeerId, held: AwardedLease) => ClientStepEvent): void {
    const held = awards.get(link.remote)
    if (held?.lease === lease) step(event(link.remote, held))
  }

  return {
    run: submissions.run,
    asked: board.asked,
    holds: lease => {
      for (const held of awards.values()) if (held.lease === lease) return true
      return false
    },
    offered: board.offered,
    granted: (link, lease, slots) =>
      about(link, lease, (car, { heard: { offer } }) => ({ type: 'granted', car, lease, slots, parallel: offer.parallel, runUs: offer.runUs })),
    refused: (link, lease) => about(link, lease, car => ({ type: 'refused', car })),
    ended: (link, lease) => about(link, lease, car => ({ type: 'lease-ended', car })),
    failed: (link, failure) => step({ type: 'failed', car: link.remote, ...failure }),
    receipts: submissions.receipts,
    received: submissions.receive,
    leaving: (car, secondsLeft) => {
      if (!awards.has(car)) return
      submissions.tell({ type: 'leaving', car, secondsLeft })
      step({ type: 'leaving', car, secondsLeft })
    },
    lost: (car, reason) => {
      if (awards.has(car)) step({ type: 'car-lost', car, reason })
    },
    cars: () => [...awards.keys()],
    counts: () => ({ leases: state.leases.size, droppedLate, ...submissions.counts() }),
    stop: () => {
      stopped.abort()
      step({ type: 'stopped' })
      clearTimeout(timer)
      submissions.failAll(new MotorpoolError('ERR_STOPPED', 'this peer stopped before the task ended; submit it again from a running peer'))
    }
  }
}
