import type { ClientJournal } from '../ledger/store/client-journal.ts'
import type { Link, Mesh, TransferBody } from '../mesh/mesh.ts'
import { sizeBucket } from '../placement/shards.ts'
import { answersRound } from '../placement/suppression.ts'
import type { Announcement } from '../protocol/announcement.ts'
import { valueDigest } from '../protocol/digest.ts'
import { sealEnvelope } from '../protocol/envelope.ts'
import { isMotorpoolError, MotorpoolError } from '../protocol/errors.ts'
import { cidToBytes, fromHex, type LeaseId, type PeerId, peerIdToBytes, type TaskId, toHex } from '../protocol/ids.ts'
import type { Clock, Signer } from '../protocol/signer.ts'
import type { Value } from '../protocol/tensor.ts'
import type { ResultHead } from '../protocol/transfer.ts'
import type { ClientCounts, ClientEvent, TaskResult } from './client.ts'
import { type createMemory, type HeardOffer, writeAward } from './contacts.ts'
import type { FoundShard } from './discover-shard.ts'
import { type Attempt, sendAttempt, takeResult } from './exchange.ts'
import type { AskedModel } from './find-model.ts'
import { createShardFinder } from './shard-finder.ts'
import { type ClientEffect, type ClientSettings, type ClientState, type ClientStepEvent, initialClientState } from './steps/client-state.ts'
import { clientStep } from './steps/client-step.ts'

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

/** A submitted task until it ends. */
interface Submission {
  readonly key: string
  readonly value: Value
  readonly digest: Uint8Array
  readonly submittedMs: number
  readonly onEvent: ((event: ClientEvent) => void) | undefined
  readonly resolve: (result: TaskResult) => void
  readonly reject: (error: MotorpoolError) => void
  attempt: Attempt | undefined
  sendUs: number
  result: TaskResult | undefined
}

interface Ask {
  readonly id: Uint8Array
  readonly offers: Map<PeerId, HeardOffer>
  readonly thetas: number[]
  readonly shard: FoundShard
  /** θ of the rounds that reached somebody. */
  readonly reached: number[]
}
interface AwardedLease {
  readonly lease: LeaseId
  readonly heard: HeardOffer
  readonly envelope: Uint8Array
}

export interface TaskSubmission {
  readonly key: string
  readonly value: Value
  readonly deadlineMs: number
  readonly signal: AbortSignal | undefined
  readonly onEvent: ((event: ClientEvent) => void) | undefined
}

/** What one client does for one model: runs the step and carries out its effects on the mesh. */
export interface ModelClient {
  run: (submission: TaskSubmission) => Promise<TaskResult>
  /** Whether the announcement of this id (hex) is ours. */
  asked: (ask: string) => boolean
  holds: (lease: LeaseId) => boolean
  offered: (heard: HeardOffer) => void
  granted: (link: Link, lease: LeaseId, slots: number) => void
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

/** Announcements are of use to a car for as long as a round may last, seconds. */
const ANNOUNCEMENT_SECONDS = 30
const DISCOVERY_MS = 10_000
/** Offers to an announcement older than this many are of no interest. */
const ASKS_KEPT = 8

const UNKNOWN = 'no peer is known that runs'
const nameOf = ({ cid, manifest }: AskedModel): string => `${manifest.name} (${cid})`

export function createModelClient(init: ModelClientInit): ModelClient {
  const { mesh, model, clock, account, memory, journal } = init
  const submissions = new Map<TaskId, Submission>()
  const asks = new Map<string, { readonly number: number; readonly ask: Ask }>()
  const askIds = new Map<number, string>()
  const awards = new Map<PeerId, AwardedLease>()
  const counts = { submitted: 0, done: 0, failed: 0, moved: 0, droppedLate: 0 }
  const stopped = new AbortController()
  const finder = createShardFinder({ mesh, model: model.cid, nowMs: clock.monotonicMs, stopped: stopped.signal })
  let state: ClientState = initialClientState({ ceiling: init.ceiling, unit: init.unit, settings: init.settings, trouble: `${UNKNOWN} ${nameOf(model)}` })
  let timer: NodeJS.Timeout | undefined
  const nowSeconds = (): number => Math.floor(clock.unixMs() / 1000)

  function step(event: ClientStepEvent): void {
    const [next, effects] = clientStep(state, event, clock.monotonicMs())
    state = next
    for (const effect of effects) carryOut(effect)
  }

  function tell(event: ClientEvent): void {
    const listeners = new Set([...submissions.values()].map(submission => submission.onEvent))
    for (const listener of listeners) listener?.(event)
  }

  function carryOut(effect: ClientEffect): void {
    switch (effect.type) {
      case 'discover':
        return void discover(effect.ask)
      case 'announce':
        return void announce(effect)
      case 'award':
        return award(effect)
      case 'decline':
        return decline(effect.ask, effect.cars)
      case 'send':
        return send(effect)
      case 'cancel':
        return quietly(() =>
          awards.get(effect.car)?.heard.contact.link.send({ type: 'cancel', lease: fromHex(effect.lease), task: fromHex(effect.task), attempt: effect.attempt })
        )
      case 'lease-opened':
        return tell({ type: 'lease-opened', car: effect.car, slots: effect.slots })
      case 'lease-closed':
        return closeLease(effect)
      case 'moved':
        return noteMove(effect)
      case 'deliver':
        return deliver(effect.task, effect.attempt)
      case 'drop-late': {
        counts.droppedLate++
        return tell({ type: 'dropped-late', task: effect.task, attempt: effect.attempt, car: effect.car })
      }
      case 'fail':
        return fail(effect.task, new MotorpoolError(effect.code, effect.message))
      case 'wake':
        return wakeAt(effect.atMs)
    }
  }

  function wakeAt(atMs: number): void {
    clearTimeout(timer)
    timer = setTimeout(() => step({ type: 'woken' }), Math.max(0, Math.min(2 ** 30, Math.ceil(atMs - clock.monotonicMs()))))
  }

  async function discover(ask: number): Promise<void> {
    const last = askOf(ask - 1)
    if (last !== undefined) finder.note({ shard: last.shard, thetas: last.reached, offers: last.offers.size })
    const found = await finder.find(AbortSignal.any([stopped.signal, AbortSignal.timeout(DISCOVERY_MS)]))
    if (stopped.signal.aborted) return
    if (found === undefined) {
      return step({ type: 'undiscovered', ask, trouble: `${UNKNOWN} ${nameOf(model)} among ${mesh.connections().length} connected peers and on the DHT` })
    }
    const id = init.randomBytes(16)
    asks.set(toHex(id), { number: ask, ask: { id, offers: new Map(), thetas: [], reached: [], shard: found.shard } })
    askIds.set(ask, toHex(id))
    forgetAsk(ask - ASKS_KEPT)
    step({ type: 'discovered', ask, idleCars: found.idleCars })
  }

  function forgetAsk(number: number): void {
    asks.delete(askIds.get(number) ?? '')
    askIds.delete(number)
  }

  function askOf(number: number): Ask | undefined {
    return asks.get(askIds.get(number) ?? '')?.ask
  }

  async function announce(effect: Extract<ClientEffect, { type: 'announce' }>): Promise<void> {
    const ask = askOf(effect.ask)
    if (ask === undefined) return
    ask.thetas[effect.round] = effect.theta
    const recipients = await mesh.publish(ask.shard.topic, writeAnnouncement(ask, effect)).catch(() => 0)
    if (recipients > 0) ask.reached.push(effect.theta)
    if (stopped.signal.aborted) return
    step({ type: 'announced', ask: effect.ask, round: effect.round, recipients })
    tell({ type: 'announced', round: effect.round, recipients })
  }

  function writeAnnouncement(ask: Ask, { round, theta, tasks }: Extract<ClientEffect, { type: 'announce' }>): Uint8Array {
    const [first] = state.waiting
    const sample = first === undefined ? undefined : submissions.get(first.id)
    const inputBytes = sample === undefined ? 0 : Object.values(sample.value.tensors).reduce((sum, tensor) => sum + tensor.data.byteLength, 0)
    const announcement: Announcement = {
      v: 1,
      bits: ask.shard.bits,
      task: ask.id,
      model: cidToBytes(model.cid),
      tasks: 2 ** Math.ceil(Math.log2(Math.max(1, tasks))),
      inputBucket: sizeBucket(inputBytes),
      outputBucket: 0,
      deadlineSeconds: Math.max(1, Math.ceil(((first?.deadlineMs ?? 0) - clock.monotonicMs()) / 1000)),
      ceiling: init.ceiling,
      unit: init.unit,
      verification: 'blocks',
      round,
      theta,
      client: peerIdToBytes(mesh.peerId),
      addresses: mesh.dialableAddresses(),
      issued: nowSeconds(),
      expires: nowSeconds() + ANNOUNCEMENT_SECONDS
    }
    return sealEnvelope(mesh.signer, 'announcement', announcement)
  }

  function award({ ask: number, car, slots }: Extract<ClientEffect, { type: 'award' }>): void {
    const heard = askOf(number)?.offers.get(car)
    if (heard === undefined) return
    const written = writeAward(account, heard, slots, init.randomBytes(16), nowSeconds())
    awards.set(car, { ...written, heard })
    try {
      heard.contact.link.send({ type: 'award', award: written.envelope })
    } catch {
      queueMicrotask(() => step({ type: 'refused', car }))
    }
  }

  function decline(number: number, cars: readonly PeerId[]): void {
    const ask = askOf(number)
    for (const car of cars)
      quietly(() => {
        if (ask !== undefined) ask.offers.get(car)?.contact.link.send({ type: 'decline', task: ask.id })
      })
  }

  /** The attempt is on disk before the car can hear of it. */
  function send(effect: Extract<ClientEffect, { type: 'send' }>): void {
    const { task, attempt, car, lease } = effect
    const submission = submissions.get(task)
    const held = awards.get(car)
    if (submission === undefined || held === undefined) return
    const startedMs = clock.monotonicMs()
    try {
      journal.recordAttempt(fromHex(task), attempt, held.heard.contact.account)
    } catch (cause) {
      return queueMicrotask(() => {
        step({ type: 'cancelled', task })
        fail(task, new MotorpoolError('ERR_DATA_FOLDER', 'the attempt could not be written to the journal; free space on the disk and submit again', { cause }))
      })
    }
    submission.attempt = { task, attempt, lease, car, salt: init.randomBytes(32), digest: submission.digest }
    submission.onEvent?.({ type: 'assigned', key: submission.key, task, attempt, car })
    sendAttempt(held.heard.contact.link, submission.attempt, submission.value, effect.deadlineMs - clock.monotonicMs(), stopped.signal).then(
      () => {
        submission.sendUs = Math.round((clock.monotonicMs() - startedMs) * 1000)
      },
      error => {
        if (!stopped.signal.aborted) step({ type: 'car-lost', car, reason: messageOf(error) })
      }
    )
  }

  function closeLease(effect: Extract<ClientEffect, { type: 'lease-closed' }>): void {
    const held = awards.get(effect.car)
    if (held?.lease === effect.lease) {
      if (effect.reason === 'lost') memory.record(held.heard.contact.account, 'failed', clock.unixMs())
      if (effect.tell) quietly(() => held.heard.contact.link.send({ type: 'release', lease: fromHex(effect.lease) }))
      awards.delete(effect.car)
    }
    tell({ type: 'lease-closed', car: effect.car, reason: effect.reason })
  }

  function noteMove({ task, from, reason }: Extract<ClientEffect, { type: 'moved' }>): void {
    counts.moved++
    const submission = submissions.get(task)
    submission?.onEvent?.({ type: 'moved', key: submission.key, task, from, reason })
  }

  function deliver(task: TaskId, attempt: number): void {
    const submission = submissions.get(task)
    const result = submission?.result
    if (submission === undefined || result === undefined) return
    submissions.delete(task)
    try {
      journal.recordResult(fromHex(task), attempt, result.receipt)
    } catch (cause) {
      counts.failed++
      return submission.reject(
        new MotorpoolError('ERR_DATA_FOLDER', 'the result could not be written to the journal; free space on the disk and submit again', { cause })
      )
    }
    counts.done++
    memory.record(result.carAccount, 'completed', clock.unixMs())
    submission.resolve(result)
  }

  function fail(task: TaskId, error: MotorpoolError): void {
    const submission = submissions.get(task)
    if (submission === undefined) return
    submissions.delete(task)
    counts.failed++
    submission.reject(error)
  }

  async function receive(link: Link, head: ResultHead, body: TransferBody): Promise<void> {
    const task = toHex(head.task) as TaskId
    const car = link.remote
    const held = awards.get(car)
    const submission = submissions.get(task)
    const current = submission?.attempt
    if (
      held === undefined ||
      submission === undefined ||
      current === undefined ||
      current.car !== car ||
      current.attempt !== head.attempt ||
      toHex(head.lease) !== current.lease
    ) {
      body.discard()
      return step({ type: 'result', car, task, attempt: head.attempt })
    }
    let parts: readonly Uint8Array[]
    try {
      parts = await body.all({ signal: stopped.signal })
    } catch (error) {
      if (!stopped.signal.aborted) step({ type: 'car-lost', car, reason: messageOf(error) })
      return
    }
    const arrivedMs = clock.monotonicMs()
    try {
      const taken = takeResult(head, parts, {
        attempt: current,
        carAccount: fromHex(held.heard.contact.account),
        clientAccount: account.publicKey,
        model: model.cid,
        binding: held.heard.contact.binding,
        price: held.heard.offer.price
      })
      submission.result = {
        ...taken,
        model: model.cid,
        car,
        carAccount: held.heard.contact.account,
        provisional: true,
        times: {
          totalMs: clock.monotonicMs() - submission.submittedMs,
          sendUs: submission.sendUs,
          checkUs: Math.round((clock.monotonicMs() - arrivedMs) * 1000),
          ...taken.times
        }
      }
      step({ type: 'result', car, task, attempt: head.attempt })
    } catch (error) {
      memory.block(held.heard.contact.account)
      step({ type: 'bad-result', car, task, attempt: head.attempt, reason: messageOf(error) })
    }
  }

  return {
    run: ({ key, value, deadlineMs, signal, onEvent }) =>
      new Promise((resolve, reject) => {
        const task = toHex(init.randomBytes(16)) as TaskId
        const submittedMs = clock.monotonicMs()
        const onAbort = (): void => {
          step({ type: 'cancelled', task })
          fail(
            task,
            isMotorpoolError(signal?.reason)
              ? signal.reason
              : new MotorpoolError('ERR_ABORTED', 'the caller aborted the task; submit it again to run it', { cause: signal?.reason })
          )
        }
        const end =
          <T>(settle: (outcome: T) => void) =>
          (outcome: T): void => {
            signal?.removeEventListener('abort', onAbort)
            settle(outcome)
          }
        counts.submitted++
        submissions.set(task, {
          key,
          value,
          digest: valueDigest(value),
          submittedMs,
          onEvent,
          resolve: end(resolve),
          reject: end(reject),
          attempt: undefined,
          sendUs: 0,
          result: undefined
        })
        if (signal?.aborted === true) return onAbort()
        signal?.addEventListener('abort', onAbort, { once: true })
        step({ type: 'submitted', task, deadlineMs: submittedMs + deadlineMs })
      }),
    asked: ask => asks.has(ask),
    holds: lease => [...awards.values()].some(held => held.lease === lease),
    offered: heard => {
      const asked = asks.get(heard.ask)
      const car = heard.contact.link.remote
      const theta = asked?.ask.thetas[heard.round]
      if (asked === undefined || theta === undefined || heard.model !== model.cid) return
      if (!answersRound(asked.ask.id, heard.round, peerIdToBytes(car), theta) || memory.isBlocked(heard.contact.account)) return
      asked.ask.offers.set(car, heard)
      tell({ type: 'offered', car })
      step({ type: 'offered', ask: asked.number, offer: memory.rank(heard, new DataView(init.randomBytes(4).buffer).getUint32(0) / 2 ** 32) })
    },
    granted: (link, lease, slots) => {
      if (awards.get(link.remote)?.lease === lease) step({ type: 'granted', car: link.remote, lease, slots })
    },
    refused: (link, lease) => {
      if (awards.get(link.remote)?.lease === lease) step({ type: 'refused', car: link.remote })
    },
    ended: (link, lease) => {
      if (awards.get(link.remote)?.lease === lease) step({ type: 'lease-ended', car: link.remote })
    },
    failed: (link, failure) => step({ type: 'failed', car: link.remote, ...failure }),
    received: (link, head, body) => void receive(link, head, body),
    leaving: (car, secondsLeft) => {
      if (awards.has(car)) step({ type: 'leaving', car, secondsLeft })
    },
    lost: (car, reason) => {
      if (awards.has(car)) step({ type: 'car-lost', car, reason })
    },
    cars: () => [...awards.keys()],
    counts: () => ({ leases: state.leases.size, ...counts }),
    stop: () => {
      clearTimeout(timer)
      stopped.abort()
      step({ type: 'stopped' })
      clearTimeout(timer)
      for (const task of [...submissions.keys()])
        fail(task, new MotorpoolError('ERR_STOPPED', 'this peer stopped before the task ended; submit it again from a running peer'))
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Says something to a car that may be gone; a lost link is noticed elsewhere. */
function quietly(say: () => void): void {
  try {
    say()
  } catch (error) {
    if (!isMotorpoolError(error, 'ERR_LINK_CLOSED')) throw error
  }
}
