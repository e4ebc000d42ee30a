import type { ClientJournal } from '../ledger/store/client-journal.ts'
import type { Link, LinkHandlers, Mesh } from '../mesh/mesh.ts'
import { MotorpoolError } from '../protocol/errors.ts'
import { type LeaseId, type ModelCid, type TaskId, toHex } from '../protocol/ids.ts'
import type { Clock, Signer } from '../protocol/signer.ts'
import type { ClientCounts, Job, JobOutcome, RunOptions, TaskInputs, TaskResult } from './client.ts'
import { createMemory, readOffer } from './contacts.ts'
import type { AskedModel } from './find-model.ts'
import { createModelClient, type ModelClient } from './model-client.ts'
import { runJob } from './run-job.ts'
import { type ClientSettings, DEFAULT_TARGET_MS } from './steps/client-state.ts'
import { prepareInput } from './tasks/prepare-input.ts'
import type { TaskSubmission } from './tasks/submission.ts'

export interface ClientInit {
  readonly mesh: Mesh
  /** Signs awards; its key is told to cars on their stream only. */
  readonly account: Signer
  readonly settings?: Partial<ClientSettings>
  readonly clock: Clock
  readonly randomBytes: (length: number) => Uint8Array
  readonly journal: ClientJournal
  /** Resolves a name or CID; rejects `ERR_MODEL_UNKNOWN`. */
  readonly findModel: (nameOrCid: string, signal: AbortSignal | undefined) => AskedModel | Promise<AskedModel>
}

/** The role of asking. Its handlers are to be fed with what the mesh hears. */
export interface Client {
  run: (model: string, inputs: TaskInputs, options?: RunOptions) => Promise<TaskResult>
  submit: (job: Job) => AsyncIterable<JobOutcome>
  readonly handlers: LinkHandlers
  counts: () => ClientCounts
  stop: () => void
}

const DEADLINE_MS = 60_000
/** A car is given up after this silence, or four times its usual longest gap. */
const SILENCE_MS = 2000

export function createClient(init: ClientInit): Client {
  const { mesh, clock, account } = init
  const memory = createMemory()
  const pools = new Map<ModelClient, { readonly cid: ModelCid; readonly ceiling: number; readonly unit: string }>()
  let stopped = false

  function giveUpSilent(link: Link): void {
    const silenceMs = link.silenceMs()
    if (silenceMs < SILENCE_MS || silenceMs < 4 * link.p99GapMs()) return
    if (![...pools.keys()].some(pool => pool.cars().includes(link.remote))) return
    const error = new MotorpoolError('ERR_CAR_LOST', `nothing was heard from the car for ${Math.round(silenceMs)} ms; its tasks go to another`, {
      retryable: true
    })
    for (const pool of pools.keys()) pool.lost(link.remote, error.message)
    void link.close(error)
  }

  function poolOf(model: AskedModel, options: Pick<RunOptions, 'priceCeiling' | 'unit'>): ModelClient {
    const ceiling = options.priceCeiling ?? 0
    const unit = options.unit ?? 'XXX'
    for (const [pool, terms] of pools) if (terms.cid === model.cid && terms.ceiling === ceiling && terms.unit === unit) return pool
    const pool = createModelClient({ ...init, model, memory, ceiling, unit })
    pools.set(pool, { cid: model.cid, ceiling, unit })
    return pool
  }

  async function runTask(
    nameOrCid: string,
    inputs: TaskInputs,
    options: RunOptions & Pick<TaskSubmission, 'onEvent'> & { readonly key: string }
  ): Promise<TaskResult> {
    if (stopped) throw new MotorpoolError('ERR_STOPPED', 'this peer has stopped; create a new one')
    const found = init.findModel(nameOrCid, options.signal)
    const model = found instanceof Promise ? await found : found
    const value = prepareInput(model.manifest, inputs, options.parameters)
    const { key, signal, onEvent, deadlineMs = DEADLINE_MS, unsigned = false } = options
    const targetMs = options.targetMs ?? (options.deadlineMs === undefined ? DEFAULT_TARGET_MS : Number.POSITIVE_INFINITY)
    if (!(deadlineMs > 0)) throw new MotorpoolError('ERR_INVALID_OPTION', `deadlineMs is ${deadlineMs}; give a number of milliseconds above 0`)
    if (!(targetMs > 0)) throw new MotorpoolError('ERR_INVALID_OPTION', `targetMs is ${targetMs}; give a number of milliseconds above 0`)
    return poolOf(model, options).run({ key, value, deadlineMs, targetMs, signal, unsigned, onEvent })
  }

  function withLease(lease: Uint8Array, act: (pool: ModelClient, lease: LeaseId) => void): void {
    const id = toHex(lease) as LeaseId
    const pool = poolWith(id)
    if (pool !== undefined) act(pool, id)
  }

  function poolWith(lease: LeaseId): ModelClient | undefined {
    for (const pool of pools.keys()) if (pool.holds(lease)) return pool
    return undefined
  }

  const handlers: LinkHandlers = {
    onMessage: (link, message) => {
      switch (message.type) {
        case 'offer':
          return hearOffer(link, message)
        case 'granted':
          return withLease(message.lease, (pool, lease) => pool.granted(link, lease, message.slots))
        case 'busy':
          return withLease(message.lease, (pool, lease) => pool.refused(link, lease))
        case 'receipts':
          return withLease(message.lease, (pool, lease) => pool.receipts(link, lease, message.flush, message.leaves))
        case 'release':
          return withLease(message.lease, (pool, lease) => pool.ended(link, lease))
        case 'failed':
          return withLease(message.lease, pool => {
            const { attempt, code, message: text, retryable } = message
            pool.failed(link, { task: toHex(message.task) as TaskId, attempt, code, message: text, retryable })
          })
        case 'leaving': {
          for (const pool of pools.keys()) pool.leaving(link.remote, message.secondsLeft)
        }
      }
    },
    onTransfer: (link, head, body) => {
      if (head.type !== 'result') return body.discard()
      // One whose lease nobody holds any more is counted as late, by any.
      const pool = pools.size > 1 ? poolWith(toHex(head.lease) as LeaseId) : undefined
      const [anyPool] = pools.keys()
      const receiver = pool ?? anyPool
      if (receiver === undefined) return body.discard()
      receiver.received(link, head, body)
    },
    onClose: (link, error) => {
      for (const pool of pools.keys()) pool.lost(link.remote, error?.message ?? 'the connection to the car ended')
    },
    onTick: giveUpSilent
  }

  function hearOffer(link: Link, message: { readonly offer: Uint8Array; readonly binding: Uint8Array }): void {
    const heard = readOffer(link, message, { peer: mesh.peerId, account: account.publicKey, nowSeconds: Math.floor(clock.unixMs() / 1000) })
    if (typeof heard === 'string') throw new MotorpoolError('ERR_SCHEMA', `${heard}; answer the announcement as it is`)
    for (const pool of pools.keys()) if (pool.asked(heard.ask)) return pool.offered(heard)
  }

  return {
    run: (model, inputs, options = {}) => runTask(model, inputs, { ...options, key: '', onEvent: undefined }),
    submit: job =>
      runJob(job, (task, signal) => runTask(job.model, task.inputs, { ...job, parameters: task.parameters, key: task.key, signal, onEvent: job.onEvent })),
    handlers,
    counts: () =>
      [...pools.keys()]
        .map(pool => pool.counts())
        .reduce(
          (sum, counts) => ({
            leases: sum.leases + counts.leases,
            submitted: sum.submitted + counts.submitted,
            done: sum.done + counts.done,
            failed: sum.failed + counts.failed,
            moved: sum.moved + counts.moved,
            droppedLate: sum.droppedLate + counts.droppedLate
          }),
          { leases: 0, submitted: 0, done: 0, failed: 0, moved: 0, droppedLate: 0 }
        ),
    stop: () => {
      stopped = true
      for (const pool of pools.keys()) pool.stop()
    }
  }
}
