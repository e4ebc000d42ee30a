import { valueDigest } from '../../protocol/digest.ts'
import { MotorpoolError } from '../../protocol/errors.ts'
import { forgetOldest } from '../../protocol/limits.ts'
import type { Value } from '../../protocol/tensor.ts'
import { type BatchSizes, createBatchSizes } from '../batch/batch-sizes.ts'
import { pickBatch, type Waiting } from '../batch/pick-batch.ts'
import { equalTensors, joinRows, type RowsOfTask, rowsOfTask, splitRows, takesRows } from '../batch/rows.ts'
import type { WorkerReply } from '../socket/messages.ts'
import type { ReadRequest } from '../socket/read-request.ts'
import type { ReplySender } from '../socket/reply-sender.ts'
import { runError } from './ort-errors.ts'
import { createPreparer, type Prepared, resultOf } from './prepare.ts'
import type { LoadedTask } from './task.ts'

/** Rows that may run together. */
const MOST_ROWS = 32
/** Inputs of one batch; outputs may be many times larger. */
const BATCH_BYTES = 4 * 1024 * 1024
/** Shapes whose batches are known; the oldest are forgotten. */
const MOST_SHAPES = 64
/** A run's share in the running mean of their times. */
const MEAN_SHARE = 0.2
/** A run that is expected to be this short begins even if its task was just taken back: to look costs a turn of the event loop. */
const SHORT_RUN_MS = 1

/** A task that has arrived and waits for its turn. */
interface WaitingTask extends Waiting {
  readonly id: number
  readonly prepared: Prepared
  readonly arrivedMs: number
}

export interface ServeInit {
  readonly task: LoadedTask
  readonly replies: ReplySender
  /** Told which tasks begin, before each run. */
  readonly note: (ids: readonly number[]) => void
  /** Whether tasks that wait and fit together may share a run. */
  readonly batches: boolean
}

/** Answers the requests that it is given: one run after another, of one task or, where `batches`, of several that wait and fit together. */
export function serve({ task, replies, note, ...init }: ServeInit): (request: ReadRequest) => void {
  const batches = init.batches && takesRows(task.signature)
  const prepare = createPreparer(task)
  const waiting: WaitingTask[] = []
  const sizesByKey = new Map<string, BatchSizes>()
  let usualMs: number | undefined
  let busy = false

  const fail = ({ id, deadlineMs }: Pick<WaitingTask, 'id' | 'deadlineMs'>, error: unknown): void => replies.add(failure(id, runError(error)), deadlineMs)

  const sizesOf = (key: string): BatchSizes => {
    const sizes = sizesByKey.get(key) ?? createBatchSizes(MOST_ROWS)
    sizesByKey.set(key, sizes)
    forgetOldest(sizesByKey, MOST_SHAPES)
    return sizes
  }

  const finish = (one: WaitingTask, outputs: Value['tensors'], startedMs: number, together: number): void => {
    try {
      const value = resultOf(task, one.prepared, outputs)
      const ranUs = Math.round((performance.now() - startedMs) * 1000)
      const waitedUs = Math.round((startedMs - one.arrivedMs) * 1000)
      replies.add({ type: 'done', id: one.id, value, digest: valueDigest(value), waitedUs, ranUs, together }, one.deadlineMs)
    } catch (error) {
      fail(one, error)
    }
  }

  const runAlone = async (one: WaitingTask): Promise<void> => {
    const startedMs = performance.now()
    try {
      const outputs = await task.run(one.prepared.input, one.prepared.plan.outputs)
      if (one.rows !== undefined) sizesOf(one.rows.key).record(one.rows.rows, (performance.now() - startedMs) * 1000)
      finish(one, outputs, startedMs, 1)
    } catch (error) {
      fail(one, error)
    }
  }

  const runTogether = async (batch: readonly WaitingTask[], sizes: BatchSizes): Promise<void> => {
    const rows = batch.map(one => one.rows?.rows ?? 1)
    const together = rows.reduce((sum, count) => sum + count, 0)
    const startedMs = performance.now()
    const outputs = await runJoined(batch, rows).catch(() => undefined)
    if (outputs !== undefined) sizes.record(together, (performance.now() - startedMs) * 1000)
    if (outputs !== undefined && (sizes.isConfirmed(together) || (await isAsAlone(batch, outputs)))) {
      sizes.confirm(together)
      batch.forEach((one, at) => {
        finish(one, outputs[at] ?? {}, startedMs, together)
      })
      return
    }
    sizes.limit(outputs === undefined ? together / 2 : 1)
    for (const one of batch) {
      replies.flush()
      note([one.id])
      await runAlone(one)
    }
  }

  /** The outputs of each task; undefined when they cannot be told apart. */
  const runJoined = async (batch: readonly WaitingTask[], rows: readonly number[]): Promise<readonly Value['tensors'][] | undefined> => {
    const [first] = batch
    if (first === undefined) return undefined
    const tensors = joinRows(batch.map(one => one.prepared.input.tensors))
    return splitRows(await task.run({ ...first.prepared.input, tensors }, first.prepared.plan.outputs), rows)
  }

  /** Whether the first and the last of a batch got, bit for bit, what they get alone: a manifest may promise more than its model keeps. */
  const isAsAlone = async (batch: readonly WaitingTask[], outputs: readonly Value['tensors'][]): Promise<boolean> => {
    for (const at of [0, batch.length - 1]) {
      const { input, plan } = (batch[at] as WaitingTask).prepared
      if (!equalTensors(outputs[at] ?? {}, await task.run(input, plan.outputs))) return false
    }
    return true
  }

  const run = async (batch: readonly WaitingTask[]): Promise<void> => {
    const startedMs = performance.now()
    const [first] = batch
    if (batch.length > 1) await runTogether(batch, sizesOf(first?.rows?.key ?? ''))
    else if (first !== undefined) await runAlone(first)
    const tookMs = performance.now() - startedMs
    usualMs = usualMs === undefined ? tookMs : usualMs + (tookMs - usualMs) * MEAN_SHARE
  }

  const work = async (): Promise<void> => {
    busy = true
    while (waiting.length > 0) {
      const nowMs = performance.now()
      const batch = takeNext(nowMs)
      replies.beforeRun({ behind: waiting.length, expectedMs: usualMs }, nowMs)
      note(batch.map(({ id }) => id))
      await run(batch)
      if (waiting.length > 0 && (batches || usualMs === undefined || usualMs >= SHORT_RUN_MS)) await oneTurn()
    }
    busy = false
    replies.flush()
  }

  /** Takes those that run next out of those that wait. */
  const takeNext = (nowMs: number): readonly WaitingTask[] => {
    if (!batches) return waiting.splice(0, 1)
    const batch = pickBatch(waiting, sizesOf, BATCH_BYTES, nowMs)
    for (const one of batch) waiting.splice(waiting.indexOf(one), 1)
    return batch
  }

  const accept = ({ id, value, limitMs, alone, description }: Extract<ReadRequest, { type: 'run' }>): void => {
    const arrivedMs = performance.now()
    const deadlineMs = arrivedMs + limitMs
    try {
      const prepared = prepare(value, description)
      const rows: RowsOfTask | undefined = batches && !alone ? rowsOfTask(prepared.input) : undefined
      waiting.push({ id, prepared, arrivedMs, deadlineMs, byteLength: byteLengthOf(prepared.input), rows })
    } catch (error) {
      fail({ id, deadlineMs }, error)
    }
    if (!busy && waiting.length > 0) void work()
  }

  return request => {
    if (request.type === 'run') return accept(request)
    const at = waiting.findIndex(({ id }) => id === request.id)
    const [dropped] = at === -1 ? [] : waiting.splice(at, 1)
    if (dropped !== undefined) fail(dropped, new MotorpoolError('ERR_ABORTED', 'the caller took the task back; submit again to run it'))
  }
}

/** One turn of the event loop, so that what came during a run (a drop, companions) is heard before the next one begins. */
function oneTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

function byteLengthOf({ tensors }: Value): number {
  let sum = 0
  for (const { data } of Object.values(tensors)) sum += data.byteLength
  return sum
}

function failure(id: number, error: MotorpoolError): WorkerReply {
  // An output that is too large was the model's doing, not the caller's.
  const code = error.code === 'ERR_TOO_LARGE' ? 'ERR_RUN_FAILED' : error.code
  return { type: 'failed', id, code, message: error.message }
}
