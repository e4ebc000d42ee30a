import type { Link, TransferBody } from '../../mesh/mesh.ts'
import type { ReleasingMap } from '../../protocol/collections/releasing-map.ts'
import { MotorpoolError } from '../../protocol/errors.ts'
import { cidToBytes, equalBytes, type LeaseId, type ModelCid, type PeerId, type TaskId, toHex } from '../../protocol/ids.ts'
import type { Clock, Signer } from '../../protocol/signer.ts'
import type { ResultHead } from '../../protocol/transfer.ts'
import type { AwardedLease, createMemory } from '../contacts.ts'
import type { ClientStepEvent } from '../steps/client-state.ts'
import { type Attempt, proofsOf, proveResult, type ResultProof, readResult } from './exchange.ts'
import { handOut, messageOf, type Submission } from './submission.ts'
import { resultOf } from './task-result.ts'

export interface ReceiverInit {
  readonly model: ModelCid
  readonly account: Signer
  readonly clock: Clock
  readonly memory: ReturnType<typeof createMemory>
  /** Leases by car, open or awarded. */
  readonly awards: ReadonlyMap<PeerId, AwardedLease>
  readonly submissions: Pick<ReleasingMap<TaskId, Submission>, 'get'>
  readonly signal: AbortSignal
  readonly step: (event: ClientStepEvent) => void
}

/** What cars send back: outputs, and what proves them. */
export interface Receiver {
  result: (link: Link, head: ResultHead, body: TransferBody) => void
  /** Receipts for results that came, or are still to come, without. */
  receipts: (link: Link, lease: LeaseId, flush: Uint8Array, leaves: readonly Uint8Array[]) => void
}

/** A result of the current attempt. */
interface Arriving {
  readonly link: Link
  readonly head: ResultHead
  readonly task: TaskId
  readonly held: AwardedLease
  readonly submission: Submission
  readonly current: Attempt
}

/** A car whose result or receipt doesn't hold is not asked again. */
export function createReceiver(init: ReceiverInit): Receiver {
  const { model, account, clock, memory, awards, submissions, signal: stopped, step } = init
  const modelBytes = cidToBytes(model)

  function result(link: Link, head: ResultHead, body: TransferBody): void {
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
      !equalBytes(head.lease, current.leaseBytes)
    ) {
      body.discard()
      return step({ type: 'result', car, task, attempt: head.attempt })
    }
    const payload = body.whole()
    if (payload !== undefined) return take({ link, head, task, held, submission, current }, payload)
    body.all({ signal: stopped }).then(
      rest => take({ link, head, task, held, submission, current }, rest),
      error => {
        if (!stopped.aborted) step({ type: 'car-lost', car, reason: messageOf(error) })
      }
    )
  }

  function take({ link, head, task, held, submission, current }: Arriving, payload: readonly Uint8Array[]): void {
    // It moved to another car while this came.
    if (submission.attempt !== current) return step({ type: 'result', car: link.remote, task, attempt: head.attempt })
    const arrivedMs = clock.monotonicMs()
    try {
      submission.arrived = readResult(head, payload, current.salt)
      submission.checkUs = Math.round((clock.monotonicMs() - arrivedMs) * 1000)
      if (submission.unsigned) giveUnproven(submission)
      const proof = head.proof ?? earlyProof(held, task, head.attempt)
      if (proof === undefined) return step({ type: 'arrived', car: link.remote, task, attempt: head.attempt })
      if (!submission.unsigned) return prove(link, submission, held, proof)
      // The caller first: it waits, and the proof doesn't.
      setImmediate(() => {
        if (submission.attempt === current) prove(link, submission, held, proof)
      })
    } catch (error) {
      distrust(link, held, { task, attempt: head.attempt }, error)
    }
  }

  /** Once, however often the car sends the same. */
  function giveUnproven(submission: Submission): void {
    if (submission.receipted !== undefined) return
    submission.receipted = Promise.withResolvers()
    submission.receipted.promise.catch(() => undefined)
    const unproven = resultOf(submission, model, clock.monotonicMs())
    if (unproven !== undefined) handOut(submission, unproven)
  }

  function prove(link: Link, submission: Submission, held: AwardedLease, proof: ResultProof): void {
    const { attempt, arrived, task } = submission
    if (attempt === undefined || arrived === undefined) return
    if (held.early.size > 0) held.early.delete(task)
    try {
      const { contact, offer } = held.heard
      const provingMs = clock.monotonicMs()
      submission.proven = proveResult(proof, arrived, {
        attempt,
        carAccount: held.carAccount,
        clientAccount: account.publicKey,
        model: modelBytes,
        binding: contact.binding,
        price: offer.price
      })
      submission.checkUs += Math.round((clock.monotonicMs() - provingMs) * 1000)
      step({ type: 'result', car: link.remote, task, attempt: attempt.attempt, ranUs: submission.proven.ranUs, roundTripMs: link.roundTripMs() })
    } catch (error) {
      submission.receipted?.reject(
        new MotorpoolError('ERR_BAD_RESULT', 'the car does not prove what was handed out unsigned; drop it and submit the task again', { cause: error })
      )
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
    for (const proof of proofsOf(flush, leaves)) {
      const { leaf } = proof.read
      const task = toHex(leaf.task) as TaskId
      const submission = submissions.get(task)
      if (submission?.attempt === undefined || submission.attempt.car !== link.remote || submission.attempt.attempt !== leaf.attempt) continue
      if (submission.arrived === undefined) held.early.set(task, proof)
      else prove(link, submission, held, proof)
    }
  }

  return { result, receipts }
}

/** A receipt of this attempt that came before its result. */
function earlyProof({ early }: AwardedLease, task: TaskId, attempt: number): ResultProof | undefined {
  const proof = early.size === 0 ? undefined : early.get(task)
  return proof?.read.leaf.attempt === attempt ? proof : undefined
}
