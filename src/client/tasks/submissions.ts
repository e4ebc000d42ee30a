import { encodeReceipt, type Receipt } from '../../ledger/receipt.ts'
import type { ClientJournal } from '../../ledger/store/client-journal.ts'
import type { Link, TransferBody } from '../../mesh/mesh.ts'
import { saltedDigest, valueDigest } from '../../protocol/digest.ts'
import { isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'
import { cidToBytes, fromHex, type LeaseId, type PeerId, type TaskId, toHex } from '../../protocol/ids.ts'
import type { Clock, Signer } from '../../protocol/signer.ts'
import type { Value } from '../../protocol/tensor.ts'
import type { ResultHead } from '../../protocol/transfer.ts'
import type { ClientEvent, TaskResult } from '../client.ts'
import type { AwardedLease, createMemory } from '../contacts.ts'
import type { AskedModel } from '../find-model.ts'
import type { ClientEffect, ClientStepEvent } from '../steps/client-state.ts'
import { type ArrivedResult, type Attempt, attemptKey, proofsOf, proveResult, type ResultProof, readResult, sendAttempt } from './exchange.ts'
import { createTaskIds } from './task-ids.ts'

export interface TaskSubmission {
  readonly key: string
  readonly value: Value
  readonly deadlineMs: number
  /** Wished time until it is done, ms: cars are added to meet it. */
  readonly targetMs: number
  readonly signal: AbortSignal | undefined
  readonly unsigned: boolean
  readonly onEvent: ((event: ClientEvent) => void) | undefined
}

export interface SubmissionsInit {
  readonly model: AskedModel
  readonly account: Signer
  readonly clock: Clock
  readonly randomBytes: (length: number) => Uint8Array
  readonly journal: ClientJournal
  readonly memory: ReturnType<typeof createMemory>
  /** Leases by car, open or awarded. */
  readonly awards: ReadonlyMap<PeerId, AwardedLease>
  readonly signal: AbortSignal
  readonly step: (event: ClientStepEvent) => void
}

/** The tasks of one model that callers wait for: what is sent of them, what comes back, and how each ends. */
export interface Submissions {
  run: (submission: TaskSubmission) => Promise<TaskResult>
  /** Sends an attempt, on disk before its car can hear of it. */
  send: (effect: Extract<ClientEffect, { type: 'send' }>) => void
  receive: (link: Link, head: ResultHead, body: TransferBody) => Promise<void>
  /** Receipts for results that came, or are still to come, without. */
  receipts: (link: Link, lease: LeaseId, flush: Uint8Array, leaves: readonly Uint8Array[]) => void
  deliver: (task: TaskId) => void
  fail: (task: TaskId, error: MotorpoolError) => void
  move: (effect: Extract<ClientEffect, { type: 'moved' }>) => void
  inputBytesOf: (task: TaskId) => number
  /** Tells everybody who waits for a task. */
  tell: (event: ClientEvent) => void
  counts: () => { readonly submitted: number; readonly done: number; readonly failed: number; readonly moved: number }
  failAll: (error: MotorpoolError) => void
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
  /** The current attempt, and the lease that it went to. */
  attempt: Attempt | undefined
  held: AwardedLease | undefined
  sendUs: number
  /** Outputs of the current attempt. */
  arrived: ArrivedResult | undefined
  proven: { readonly receipt: Receipt; readonly queuedUs: number; readonly ranUs: number } | undefined
}

export function createSubmissions(init: SubmissionsInit): Submissions {
  const { model, clock, account, memory, journal, awards, signal: stopped, step } = init
  const submissions = new Map<TaskId, Submission>()
  const sends: Extract<ClientEffect, { type: 'send' }>[] = []
  const deliveries: Submission[] = []
  const modelBytes = cidToBytes(model.cid)
  const drawTaskId = createTaskIds(journal, init.randomBytes)
  const counts = { submitted: 0, done: 0, failed: 0, moved: 0 }

  function send(effect: Extract<ClientEffect, { type: 'send' }>): void {
    if (sends.length === 0) queueMicrotask(sendAll)
    sends.push(effect)
  }

  /** Attempts are on disk before their cars can hear of them: first ones since their ids were drawn, the others of one turn by one write. */
  function sendAll(): void {
    const due = sends.splice(0).flatMap(effect => {
      const submission = submissions.get(effect.task)
      const held = awards.get(effect.car)
      return submission === undefined || held === undefined ? [] : [{ effect, submission, held }]
    })
    if (due.length === 0) return
    const startedMs = clock.monotonicMs()
    try {
      const again = due.filter(({ effect }) => effect.attempt > 1)
      if (again.length > 0)
        journal.recordAttempts(again.map(({ effect, held }) => ({ task: fromHex(effect.task), attempt: effect.attempt, car: held.heard.contact.account })))
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
    held: AwardedLease,
    startedMs: number
  ): void {
    submission.held = held
    const salt = init.randomBytes(32)
    submission.attempt = { task, attempt, lease, car, salt, input: saltedDigest('input', salt, submission.digest) }
    submission.arrived = undefined
    submission.onEvent?.({ type: 'assigned', key: submission.key, task, attempt, car })
    sendAttempt(held.heard.contact.link, submission.attempt, submission.value, deadlineMs - clock.monotonicMs(), stopped).then(
      () => {
        submission.sendUs = Math.round((clock.monotonicMs() - startedMs) * 1000)
      },
      error => {
        if (!stopped.aborted) step({ type: 'car-lost', car, reason: messageOf(error) })
      }
    )
  }

  function move({ task, from, reason }: Extract<ClientEffect, { type: 'moved' }>): void {
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
    if (deliveries.length === 0) setImmediate(deliverAll)
    deliveries.push(submission)
  }

  /** Results are on disk before their callers hear of them; those that a turn of the event loop proves share a write, of one flush or of several cars'. */
  function deliverAll(): void {
    const due = deliveries.splice(0)
    if (due.length === 0) return
    try {
      journal.recordResults(
        due.flatMap(({ task, attempt, held, proven }) =>
          attempt === undefined || held === undefined || proven === undefined
            ? []
            : [{ task: fromHex(task), attempt: attempt.attempt, receipt: proven.receipt, car: held.heard.contact.account }]
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
    const { attempt, held, arrived, proven, receipted } = submission
    if (attempt === undefined || held === undefined || arrived === undefined) return undefined
    return {
      task: attempt.task,
      model: model.cid,
      attempt: attempt.attempt,
      outputs: arrived.outputs,
      car: attempt.car,
      carAccount: held.heard.contact.account,
      signed: proven !== undefined,
      receipt: proven === undefined ? new Uint8Array(0) : encodeReceipt(proven.receipt),
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
      parts = await body.all({ signal: stopped })
    } catch (error) {
      if (!stopped.aborted) step({ type: 'car-lost', car, reason: messageOf(error) })
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
        model: modelBytes,
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

  function run({ key, value, deadlineMs, targetMs, signal, unsigned, onEvent }: TaskSubmission): Promise<TaskResult> {
    return new Promise((resolve, reject) => {
      const task = drawTaskId()
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
        held: undefined,
        sendUs: 0,
        arrived: undefined,
        proven: undefined
      })
      if (signal?.aborted === true) return onAbort()
      signal?.addEventListener('abort', onAbort, { once: true })
      step({ type: 'submitted', task, deadlineMs: submittedMs + deadlineMs, targetMs, inputBytes: inputBytesOf(task) })
    })
  }

  function inputBytesOf(task: TaskId): number {
    return Object.values(submissions.get(task)?.value.tensors ?? {}).reduce((sum, tensor) => sum + tensor.data.byteLength, 0)
  }

  return {
    run,
    send,
    receive,
    receipts,
    deliver,
    fail,
    move,
    inputBytesOf,
    tell: event => {
      const listeners = new Set([...submissions.values()].map(submission => submission.onEvent))
      for (const listener of listeners) listener?.(event)
    },
    counts: () => ({ ...counts }),
    failAll: error => {
      deliverAll()
      for (const task of [...submissions.keys()]) fail(task, error)
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
