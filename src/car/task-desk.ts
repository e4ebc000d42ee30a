import type { TaskEnergy } from '../energy/task-energy.ts'
import type { RunResult } from '../inference/runner.ts'
import { type Price, priceOf } from '../ledger/price.ts'
import type { CarJournal } from '../ledger/store/car-journal.ts'
import type { Link, TransferBody } from '../mesh/mesh.ts'
import { ReleasingMap } from '../protocol/collections/releasing-map.ts'
import { isMotorpoolError, MotorpoolError } from '../protocol/errors.ts'
import { fromHex, type LeaseId, type ModelCid, type TaskId, toHex } from '../protocol/ids.ts'
import type { Clock, Signer } from '../protocol/signer.ts'
import type { Value } from '../protocol/tensor.ts'
import type { TaskHead } from '../protocol/transfer.ts'
import type { CarEvent } from './car.ts'
import type { AdmittedTask, CarEffect, CarStepEvent, CarWork } from './car-state.ts'
import { createInputDesk, keyOf, type TakenInput } from './input-desk.ts'
import type { LoadedModel } from './load-models.ts'
import type { EnergyAccount } from './owner/energy-account.ts'
import { type LeaseContext, UNITS } from './proofs/provable-result.ts'
import { createProver } from './proofs/prove-results.ts'

export interface TaskDeskInit {
  readonly clock: Clock
  readonly journal: CarJournal
  readonly models: ReadonlyMap<ModelCid, LoadedModel>
  readonly signal: AbortSignal
  /** The step's state now. */
  readonly work: () => CarWork
  readonly step: (event: CarStepEvent) => void
  /** This car's account for the client at the other end. */
  readonly accountFor: (link: Link) => Signer | undefined
  /** Odds that the car stays until one more task of this model is done, in [0, 1]; null when unknown. */
  readonly stayFor: (model: ModelCid) => number | null
  readonly say: (client: Link['remote'], message: Parameters<Link['send']>[0]) => void
  readonly energy: EnergyAccount
  readonly onEvent: (event: CarEvent) => void
}

/** The tasks that a car has taken on: their inputs, their runs, and what is sent of them. */
export interface TaskDesk {
  /** Notes the terms of a lease that was granted. */
  open: (lease: LeaseId, terms: { readonly client: Uint8Array; readonly model: ModelCid; readonly price: Price }) => void
  /** Forgets the terms of leases that are no longer open. */
  tidy: () => void
  admit: (link: Link, head: TaskHead, body: TransferBody) => void
  run: (task: AdmittedTask) => Promise<void>
  reply: (effect: Extract<CarEffect, { type: 'reply' }>) => Promise<void>
  abort: (effect: Extract<CarEffect, { type: 'abort' }>) => void
  /** Stops reading an input that its client cancels. */
  cancelReading: (named: { readonly lease: LeaseId; readonly task: TaskId; readonly attempt: number }) => void
  fail: (effect: Extract<CarEffect, { type: 'fail' }>) => void
  counts: () => { readonly done: number; readonly failed: number; readonly handedBack: number }
  /** Signs what waits for a signature, and stops every run; resolves when the results of those that had ended are sent. */
  close: () => Promise<void>
}

interface Admission {
  readonly link: Link
  readonly head: TaskHead
  readonly value: Value
  readonly admittedMs: number
  readonly readUs: number
  readonly stop: AbortController
  startedMs: number
  energy: TaskEnergy
  result: RunResult | undefined
}

interface Lease {
  readonly client: Uint8Array
  readonly model: ModelCid
  readonly price: Price
  /** Results on their way; a client that doesn't read them gets no more of its tasks run. */
  sending: number
}

export function createTaskDesk(init: TaskDeskInit): TaskDesk {
  const { clock, models, work, step, say, onEvent } = init
  const admissions = new ReleasingMap<string, Admission>()
  const leases = new Map<LeaseId, Lease>()
  const replies = new Set<Promise<void>>()
  const counts = { done: 0, failed: 0, handedBack: 0 }
  const prover = createProver({
    journal: init.journal,
    clock,
    signal: init.signal,
    open: lease => work().leases.get(lease)?.open ?? 0,
    enough: () => 2 * work().settings.slots,
    onRefused: refuseProof
  })

  const inputs = createInputDesk({
    clock,
    work,
    has: key => admissions.has(key),
    sending: lease => leases.get(lease)?.sending ?? 0,
    headsOf: function* (lease) {
      for (const { head } of admissions.values()) if (toHex(head.lease) === lease) yield head
    },
    onTaken: take,
    refuse: ({ link, lease, task, attempt }, error) => {
      const [code, message, retryable] = blameOf(error)
      fail({ type: 'fail', client: link.remote, lease, task, attempt, code, message, retryable })
    }
  })

  function take({ link, head, key, value, lease, task, attempt, arrivedMs, stop }: TakenInput): void {
    const admittedMs = clock.monotonicMs()
    const readUs = Math.round((admittedMs - arrivedMs) * 1000)
    admissions.set(key, { readUs, link, head, value, admittedMs, stop, startedMs: admittedMs, energy: UNKNOWN_ENERGY, result: undefined })
    prover.came(lease)
    const held = work().leases.get(lease)
    const stay = held === undefined ? null : init.stayFor(held.model)
    step({ type: 'task', client: link.remote, lease, task, attempt, deadlineMs: admittedMs + head.deadlineMs, stay })
    if (!work().tasks.has(key) && admissions.get(key)?.result === undefined) admissions.delete(key)
  }

  async function run(task: AdmittedTask): Promise<void> {
    const key = keyOf(task)
    const admission = admissions.get(key)
    const model = models.get(task.model)
    if (admission === undefined || model === undefined) return
    const limitMs = Math.max(1, task.deadlineMs - clock.monotonicMs())
    admission.startedMs = clock.monotonicMs()
    init.energy.begin(key, task.model, together(model))
    const named = { lease: task.lease, task: task.task, attempt: task.attempt }
    try {
      const result = await model.runner.run({ input: admission.value, limitMs }, { signal: admission.stop.signal })
      admission.energy = init.energy.end(key)
      admission.result = result
      step({ type: 'ran', ...named, ranUs: Math.round(result.ranUs / result.together) })
    } catch (error) {
      if (admission.result === undefined) init.energy.end(key)
      const [code, message, retryable] = blameOf(error)
      step({ type: 'run-failed', ...named, code, message, retryable })
    }
    admissions.delete(key)
  }

  /** Tasks of a model that run at the same time: one in each worker, or all that it has where they may share a run. */
  function together({ runner }: LoadedModel): number {
    const { slots, ahead } = work().settings
    return runner.model.batching === 'rows' ? slots + ahead : slots
  }

  async function reply(effect: Extract<CarEffect, { type: 'reply' }>): Promise<void> {
    const admission = admissions.get(keyOf(effect))
    // The step has forgotten the lease when this is the last result before the car is gone.
    const lease = leases.get(effect.lease)
    const model = lease === undefined ? undefined : models.get(lease.model)
    if (admission?.result === undefined || lease === undefined || model === undefined) return
    const { link, head, result, admittedMs, startedMs, readUs, energy } = admission
    const account = init.accountFor(link)
    if (account === undefined) return
    const context = { link, lease: effect.lease, model: lease.model, client: lease.client, account, numerics: model.runner.numerics, price: lease.price }
    const provingMs = clock.monotonicMs()
    lease.sending++
    try {
      const queuedUs = Math.round((startedMs - admittedMs) * 1000) + result.queuedUs
      await prover.send(context, { head, result, queuedUs, energy })
      counts.done++
      onEvent({
        type: 'done',
        client: link.remote,
        ranUs: result.ranUs,
        energy,
        readUs,
        proveUs: Math.round((clock.monotonicMs() - provingMs) * 1000),
        together: result.together,
        earned: priceOf(lease.price, UNITS)
      })
    } catch (error) {
      if (link.closed || init.signal.aborted) return
      refuseProof(context, head, error)
    } finally {
      lease.sending--
    }
  }

  function refuseProof({ link, lease }: LeaseContext, head: TaskHead, error: unknown): void {
    const [code, message] = blameOf(error)
    fail({ type: 'fail', client: link.remote, lease, task: toHex(head.task) as TaskId, attempt: head.attempt, code, message, retryable: true })
  }

  function abort(named: Extract<CarEffect, { type: 'abort' }>): void {
    const key = keyOf(named)
    admissions.get(key)?.stop.abort(new MotorpoolError('ERR_ABORTED', 'the client no longer waits for this task'))
    admissions.delete(key)
  }

  function fail(effect: Extract<CarEffect, { type: 'fail' }>): void {
    if (effect.code === 'ERR_LEAVING') {
      counts.handedBack++
      onEvent({ type: 'handed-back', client: effect.client })
    } else {
      counts.failed++
      onEvent({ type: 'failed', client: effect.client, reason: effect.message })
    }
    admissions.delete(keyOf(effect))
    say(effect.client, {
      type: 'failed',
      lease: fromHex(effect.lease),
      task: fromHex(effect.task),
      attempt: effect.attempt,
      code: effect.code,
      message: effect.message.slice(0, 1024),
      retryable: effect.retryable
    })
  }

  return {
    open: (lease, terms) => {
      leases.set(lease, { ...terms, sending: 0 })
    },
    tidy: () => {
      for (const lease of leases.keys()) {
        if (work().leases.has(lease)) continue
        leases.delete(lease)
        prover.forget(lease)
      }
    },
    admit: inputs.admit,
    run,
    reply: effect => {
      const replied = reply(effect).finally(() => replies.delete(replied))
      replies.add(replied)
      return replied
    },
    abort,
    cancelReading: inputs.cancel,
    fail,
    counts: () => ({ ...counts }),
    close: async () => {
      prover.flush()
      inputs.close()
      for (const admission of admissions.values()) admission.stop.abort(new MotorpoolError('ERR_LEAVING', 'the vehicle departed'))
      await Promise.allSettled(replies)
      prover.flush()
    }
  }
}

const UNKNOWN_ENERGY: TaskEnergy = { marginalMj: 0, attributedMj: 0, by: 'unknown' }

/** How a failure is told to the client. */
function blameOf(error: unknown): [MotorpoolError['code'], string, boolean] {
  if (isMotorpoolError(error)) return [error.code, error.message, error.retryable]
  return ['ERR_RUN_FAILED', `the car failed: ${error instanceof Error ? error.message : String(error)}; another car may do it`, true]
}
