import type { ClientJournal } from '../../ledger/store/client-journal.ts'
import type { Link, TransferBody } from '../../mesh/mesh.ts'
import { ReleasingMap } from '../../protocol/collections/releasing-map.ts'
import { valueDigest } from '../../protocol/digest.ts'
import { isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'
import type { LeaseId, PeerId, TaskId } from '../../protocol/ids.ts'
import type { Clock, Signer } from '../../protocol/signer.ts'
import type { Value } from '../../protocol/tensor.ts'
import type { ResultHead } from '../../protocol/transfer.ts'
import type { ClientEvent, TaskResult } from '../client.ts'
import type { AwardedLease, createMemory } from '../contacts.ts'
import type { AskedModel } from '../find-model.ts'
import type { ClientEffect, ClientStepEvent } from '../steps/client-state.ts'
import { createDeliveries } from './deliver-results.ts'
import { createReceiver } from './receive-results.ts'
import { createSender } from './send-attempts.ts'
import { refuse, type Submission, type TaskCounts, type TaskSubmission } from './submission.ts'
import { createTaskIds } from './task-ids.ts'

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
  receive: (link: Link, head: ResultHead, body: TransferBody) => void
  /** Receipts for results that came, or are still to come, without. */
  receipts: (link: Link, lease: LeaseId, flush: Uint8Array, leaves: readonly Uint8Array[]) => void
  deliver: (task: TaskId) => void
  fail: (task: TaskId, error: MotorpoolError) => void
  move: (effect: Extract<ClientEffect, { type: 'moved' }>) => void
  inputBytesOf: (task: TaskId) => number
  /** Tells everybody who waits for a task. */
  tell: (event: ClientEvent) => void
  counts: () => Readonly<TaskCounts>
  failAll: (error: MotorpoolError) => void
}

export function createSubmissions(init: SubmissionsInit): Submissions {
  const { clock, journal, step } = init
  const submissions = new ReleasingMap<TaskId, Submission>()
  const counts: TaskCounts = { submitted: 0, done: 0, failed: 0, moved: 0 }
  const drawTaskId = createTaskIds(journal, init.randomBytes)
  const shared = { ...init, model: init.model.cid, submissions, counts, fail }
  const send = createSender(shared)
  const receiver = createReceiver(shared)
  const deliveries = createDeliveries(shared)

  function move({ task, from, reason }: Extract<ClientEffect, { type: 'moved' }>): void {
    counts.moved++
    const submission = submissions.get(task)
    if (submission?.receipted !== undefined) {
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
    deliveries.add(submission)
  }

  function fail(task: TaskId, error: MotorpoolError): void {
    const submission = submissions.get(task)
    if (submission === undefined) return
    submissions.delete(task)
    counts.failed++
    refuse(submission, error)
  }

  function abort(task: TaskId, reason: unknown): void {
    step({ type: 'cancelled', task })
    fail(
      task,
      isMotorpoolError(reason) ? reason : new MotorpoolError('ERR_ABORTED', 'the caller aborted the task; submit it again to run it', { cause: reason })
    )
  }

  function run({ key, value, deadlineMs, targetMs, signal, unsigned, onEvent }: TaskSubmission): Promise<TaskResult> {
    return new Promise((resolve, reject) => {
      const task = drawTaskId()
      const submittedMs = clock.monotonicMs()
      const onAbort = signal === undefined ? undefined : () => abort(task, signal.reason)
      counts.submitted++
      submissions.set(task, {
        task,
        key,
        value,
        unsigned,
        signal,
        onEvent,
        digest: valueDigest(value),
        submittedMs,
        resolve,
        reject,
        onAbort,
        receipted: undefined,
        attempt: undefined,
        held: undefined,
        sendUs: 0,
        arrived: undefined,
        checkUs: 0,
        proven: undefined
      })
      if (signal?.aborted === true) return abort(task, signal.reason)
      if (onAbort !== undefined) signal?.addEventListener('abort', onAbort, { once: true })
      step({ type: 'submitted', task, deadlineMs: submittedMs + deadlineMs, targetMs, inputBytes: byteLengthOf(value) })
    })
  }

  return {
    run,
    send,
    receive: receiver.result,
    receipts: receiver.receipts,
    deliver,
    fail,
    move,
    inputBytesOf: task => {
      const submission = submissions.get(task)
      return submission === undefined ? 0 : byteLengthOf(submission.value)
    },
    tell: event => {
      const listeners = new Set([...submissions.values()].map(submission => submission.onEvent))
      for (const listener of listeners) listener?.(event)
    },
    counts: () => ({ ...counts }),
    failAll: error => {
      deliveries.finish()
      for (const task of [...submissions.keys()]) fail(task, error)
    }
  }
}

function byteLengthOf({ tensors }: Value): number {
  let byteLength = 0
  for (const { data } of Object.values(tensors)) byteLength += data.byteLength
  return byteLength
}
