import type { ClientJournal } from '../ledger/store/client-journal.ts'
import type { Link, Mesh, TransferBody } from '../mesh/mesh.ts'
import { sizeBucket } from '../placement/shards.ts'
import { answersRound } from '../placement/suppression.ts'
import type { Announcement } from '../protocol/announcement.ts'
import { valueDigest } from '../protocol/digest.ts'
import { sealEnvelope } from '../protocol/envelope.ts'
import { isMotorpoolError, MotorpoolError } from '../protocol/errors.ts'
import { type AccountId, cidToBytes, fromHex, type LeaseId, type PeerId, peerIdToBytes, type TaskId, toHex } from '../protocol/ids.ts'
import type { Clock, Signer } from '../protocol/signer.ts'
import type { Value } from '../protocol/tensor.ts'
import type { ResultHead } from '../protocol/transfer.ts'
import type { ClientCounts, ClientEvent, TaskResult } from './client.ts'
import { type createMemory, type HeardOffer, writeAward } from './contacts.ts'
import { discoverShard } from './discover-shard.ts'
import { type ArrivedResult, type Attempt, attemptKey, proofsOf, proveResult, type ResultProof, readResult, sendAttempt } from './exchange.ts'
import type { AskedModel } from './find-model.ts'
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
  readonly task: TaskId
  readonly key: string
  readonly value: Value
  readonly digest: Uint8Array
  readonly submittedMs: number
  readonly unsigned: boolean
  readonly onEvent: ((event: ClientEvent) => void) | undefined
  readonly receipted: PromiseWithResolvers<Uint8Array>
  readonly resolve: (result: TaskResult) => void
  readonly reject: (error: MotorpoolError) => void
  /** The caller has the outputs; only the receipt is still to come, from this attempt. */
  handedOut: boolean
  attempt: Attempt | undefined
  sendUs: number
  /** Outputs of the current attempt. */
  arrived: ArrivedResult | undefined
  proven: { readonly receipt: Uint8Array; readonly queuedUs: number; readonly ranUs: number } | undefined
}

interface Ask {
  readonly id: Uint8Array
  readonly offers: Map<PeerId, HeardOffer>
  readonly thetas: number[]
  readonly topic: string
  readonly bits: string
}
interface AwardedLease {
  /** Receipts that overtook their results. */
  readonly early: Map<string, ResultProof>
  readonly lease: LeaseId
  readonly heard: HeardOffer
  readonly envelope: Uint8Array
}

export interface TaskSubmission {
  readonly key: string
  readonly value: Value
  readonly deadlineMs: number
  readonly signal: AbortSignal | undefined
  readonly unsigned: boolean
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
  /** Accounts of cars that this client held leases of, by peer. */
  const accounts = new Map<PeerId, AccountId>()
  const sends: Extract<ClientEffect, { type: 'send' }>[] = []
  const deliveries: Submission[] = []
  const counts = { submitted: 0, done: 0, failed: 0, moved: 0, droppedLate: 0 }
  const stopped = new AbortController()
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
        return deliver(effect.task)
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
    const shard = await discoverShard(mesh, model.cid, AbortSignal.any([stopped.signal, AbortSignal.timeout(DISCOVERY_MS)]))
    if (stopped.signal.aborted) return
    if (shard === undefined) {
      return step({ type: 'undiscovered', ask, trouble: `${UNKNOWN} ${nameOf(model)} among ${mesh.connections().length} connected peers and on the DHT` })
    }
    const id = init.randomBytes(16)
    asks.set(toHex(id), { number: ask, ask: { id, offers: new Map(), thetas: [], topic: shard.topic, bits: shard.bits } })
    askIds.set(ask, toHex(id))
    forgetAsk(ask - ASKS_KEPT)
    step({ type: 'discovered', ask, idleCars: shard.cars })
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
    const recipients = await mesh.publish(ask.topic, writeAnnouncement(ask, effect)).catch(() => 0)
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
      bits: ask.bits,
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
    awards.set(car, { ...written, heard, early: new Map() })
    accounts.set(car, heard.contact.account)
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

  function send(effect: Extract<ClientEffect, { type: 'send' }>): void {
    if (sends.length === 0) queueMicrotask(sendAll)
    sends.push(effect)
  }

  /** Attempts are on disk before their cars can hear of them; those of one turn share a write. */
  function sendAll(): void {
    const due = sends.splice(0).flatMap(effect => {
      const submission = submissions.get(effect.task)
      const held = awards.get(effect.car)
      return submission === undefined || held === undefined ? [] : [{ effect, submission, held }]
    })
    if (due.length === 0) return
    const startedMs = clock.monotonicMs()
    try {
      journal.recordAttempts(due.map(({ effect, held }) => ({ task: fromHex(effect.task), attempt: effect.attempt, car: held.heard.contact.account })))
    } catch (cause) {
      for (const { effect } of due) {
        step({ type: 'cancelled', task: effect.task })
        fail(
          effect.task,
          new MotorpoolError('ERR_DATA_FOLDER', 'the attempt could not be written to the journal; free space on the disk and submit again', { cause })
        )
      }
      return
    }
    for (const { effect, submission, held } of due) sendOne(effect, submission, held, startedMs)
  }

  function sendOne(
    { task, attempt, car, lease, deadlineMs }: Extract<ClientEffect, { type: 'send' }>,
    submission: Submission,
    { heard }: AwardedLease,
    startedMs: number
  ): void {
    submission.attempt = { task, attempt, lease, car, salt: init.randomBytes(32), digest: submission.digest }
    submission.arrived = undefined
    submission.onEvent?.({ type: 'assigned', key: submission.key, task, attempt, car })
    sendAttempt(heard.contact.link, submission.attempt, submission.value, deadlineMs - clock.monotonicMs(), stopped.signal).then(
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
    if (submission?.handedOut === true) {
      return queueMicrotask(() => {
        step({ type: 'cancelled', task })
        fail(task, new MotorpoolError('ERR_CAR_LOST', 'the car was lost before it proved what it delivered; submit the task again for a proven result'))
      })
    }
    submission?.onEvent?.({ type: 'moved', key: submission.key, task, from, reason })
  }

  function deliver(task: TaskId): void {
    const submission = submissions.get(task)
    if (submission?.proven === undefined) return
    submissions.delete(task)
    if (deliveries.length === 0) queueMicrotask(deliverAll)
    deliveries.push(submission)
  }

  /** Results are on disk before their callers hear of them; those of one flush share a write. */
  function deliverAll(): void {
    const due = deliveries.splice(0)
    try {
      journal.recordResults(
        due.flatMap(({ task, attempt, proven }) =>
          attempt === undefined || proven === undefined ? [] : [{ task: fromHex(task), attempt: attempt.attempt, receipt: proven.receipt }]
        )
      )
    } catch (cause) {
      counts.failed += due.length
      const error = new MotorpoolError('ERR_DATA_FOLDER', 'the result could not be written to the journal; free space on the disk and submit again', { cause })
      for (const submission of due) refuse(submission, error)
      return
    }
    counts.done += due.length
    for (const submission of due) {
      const result = resultOf(submission)
      if (result === undefined) continue
      memory.record(result.carAccount, 'completed', clock.unixMs())
      submission.receipted.resolve(result.receipt)
      submission.resolve(result)
    }
  }

  function resultOf(submission: Submission): TaskResult | undefined {
    const { attempt, arrived, proven, receipted } = submission
    const account = attempt === undefined ? undefined : accounts.get(attempt.car)
    if (attempt === undefined || arrived === undefined || account === undefined) return undefined
    return {
      task: attempt.task,
      model: model.cid,
      attempt: attempt.attempt,
      outputs: arrived.outputs,
      car: attempt.car,
      carAccount: account,
      signed: proven !== undefined,
      receipt: proven?.receipt ?? new Uint8Array(0),
      receipted: receipted.promise,
      provisional: true,
      times: {
        totalMs: clock.monotonicMs() - submission.submittedMs,
        sendUs: submission.sendUs,
        checkUs: arrived.checkUs,
        queuedUs: proven?.queuedUs ?? 0,
        ranUs: proven?.ranUs ?? 0
      }
    }
  }

  function refuse(submission: Submission, error: MotorpoolError): void {
    submission.receipted.reject(error)
    submission.reject(error)
  }

  function fail(task: TaskId, error: MotorpoolError): void {
    const submission = submissions.get(task)
    if (submission === undefined) return
    submissions.delete(task)
    counts.failed++
    refuse(submission, error)
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
      const read = readResult(head, parts, current.salt)
      submission.arrived = { ...read, checkUs: Math.round((clock.monotonicMs() - arrivedMs) * 1000) }
      const proof = head.proof ?? held.early.get(attemptKey(task, head.attempt))
      if (proof !== undefined) return prove(link, submission, held, proof)
      step({ type: 'arrived', car, task, attempt: head.attempt })
      if (submission.unsigned && submission.attempt === current) handOut(submission)
    } catch (error) {
      distrust(link, held, { task, attempt: head.attempt }, error)
    }
  }

  /** Gives a caller who asked for speed what nothing proves yet. */
  function handOut(submission: Submission): void {
    const result = resultOf(submission)
    if (result === undefined) return
    submission.handedOut = true
    submission.resolve(result)
  }

  function prove(link: Link, submission: Submission, held: AwardedLease, proof: ResultProof): void {
    const { attempt, arrived, task } = submission
    if (attempt === undefined || arrived === undefined) return
    held.early.delete(attemptKey(task, attempt.attempt))
    try {
      const { contact, offer } = held.heard
      const provingMs = clock.monotonicMs()
      submission.proven = proveResult(proof, arrived, {
        attempt,
        carAccount: fromHex(contact.account),
        clientAccount: account.publicKey,
        model: model.cid,
        binding: contact.binding,
        price: offer.price
      })
      submission.arrived = { ...arrived, checkUs: arrived.checkUs + Math.round((clock.monotonicMs() - provingMs) * 1000) }
      step({ type: 'result', car: link.remote, task, attempt: attempt.attempt, ranUs: submission.proven.ranUs, roundTripMs: link.roundTripMs() })
    } catch (error) {
      distrust(link, held, { task, attempt: attempt.attempt }, error)
    }
  }

  function distrust(link: Link, held: AwardedLease, named: { readonly task: TaskId; readonly attempt: number }, error: unknown): void {
    memory.block(held.heard.contact.account)
    step({ type: 'bad-result', car: link.remote, ...named, reason: messageOf(error) })
  }

  /** Receipts for results that came, or are still to come, without. */
  function receipts(link: Link, lease: LeaseId, flush: Uint8Array, leaves: readonly Uint8Array[]): void {
    const held = awards.get(link.remote)
    if (held === undefined || held.lease !== lease) return
    for (const [key, proof] of proofsOf(flush, leaves)) {
      const [task = '', attempt = ''] = key.split('/')
      const submission = submissions.get(task as TaskId)
      if (submission?.attempt === undefined || submission.attempt.car !== link.remote || submission.attempt.attempt !== Number(attempt)) continue
      if (submission.arrived === undefined) held.early.set(key, proof)
      else prove(link, submission, held, proof)
    }
  }

  return {
    run: ({ key, value, deadlineMs, signal, unsigned, onEvent }) =>
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
        const receipted = Promise.withResolvers<Uint8Array>()
        receipted.promise.catch(() => undefined)
        submissions.set(task, {
          task,
          key,
          unsigned,
          receipted,
          handedOut: false,
          value,
          digest: valueDigest(value),
          submittedMs,
          onEvent,
          resolve: end(resolve),
          reject: end(reject),
          attempt: undefined,
          sendUs: 0,
          arrived: undefined,
          proven: undefined
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
      if (awards.get(link.remote)?.lease === lease)
        step({ type: 'granted', car: link.remote, lease, slots, parallel: awards.get(link.remote)?.heard.offer.parallel ?? 1 })
    },
    refused: (link, lease) => {
      if (awards.get(link.remote)?.lease === lease) step({ type: 'refused', car: link.remote })
    },
    ended: (link, lease) => {
      if (awards.get(link.remote)?.lease === lease) step({ type: 'lease-ended', car: link.remote })
    },
    failed: (link, failure) => step({ type: 'failed', car: link.remote, ...failure }),
    receipts,
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
