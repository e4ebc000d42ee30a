import type { Socket } from 'node:net'
import { valueDigest } from '../../protocol/digest.ts'
import { MotorpoolError } from '../../protocol/errors.ts'
import { forgetOldest } from '../../protocol/limits.ts'
import type { Value } from '../../protocol/tensor.ts'
import { type BatchSizes, createBatchSizes } from '../batch/batch-sizes.ts'
import { pickBatch, type Waiting } from '../batch/pick-batch.ts'
import { equalTensors, joinRows, type RowsOfTask, rowsOfTask, splitRows, takesRows } from '../batch/rows.ts'
import { createWorkerFrameReader, fromWireValue, openFrame, type Wire, type WorkerReply, type WorkerRequest, workerFrame } from '../worker-frames.ts'
import { writeFrame } from '../write-frame.ts'
import { runError } from './ort-errors.ts'
import { type Prepared, prepare, resultOf } from './prepare.ts'
import type { LoadedTask } from './task.ts'

/** Rows that may run together. */
const MOST_ROWS = 32
/** Inputs of one batch; outputs may be many times larger. */
const BATCH_BYTES = 4 * 1024 * 1024
/** Shapes whose batches are known; the oldest are forgotten. */
const MOST_SHAPES = 64

/** A task that has arrived and waits for its turn. */
interface WaitingTask extends Waiting {
  readonly id: number
  readonly prepared: Prepared
  readonly arrivedMs: number
}

/** Answers the run requests on a socket: one run after another, of one task or, where `batches`, of several that wait and fit together. */
export function serve(socket: Socket, task: LoadedTask, options: { readonly batches: boolean }): void {
  const batches = options.batches && takesRows(task.signature)
  const waiting: WaitingTask[] = []
  const sizesByKey = new Map<string, BatchSizes>()
  let busy = false

  const send = (reply: WorkerReply): void => writeFrame(socket, workerFrame(reply))
  const fail = (id: number, error: unknown): void => send(failure(id, runError(error)))

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
      send({ type: 'done', id: one.id, value, digest: valueDigest(value), waitedUs: Math.round((startedMs - one.arrivedMs) * 1000), ranUs, together })
    } catch (error) {
      fail(one.id, error)
    }
  }

  const runAlone = async (one: WaitingTask): Promise<void> => {
    const startedMs = performance.now()
    try {
      const outputs = await task.run(one.prepared.input, one.prepared.plan.outputs)
      if (one.rows !== undefined) sizesOf(one.rows.key).record(one.rows.rows, (performance.now() - startedMs) * 1000)
      finish(one, outputs, startedMs, 1)
    } catch (error) {
      fail(one.id, error)
    }
  }

  const runTogether = async (batch: readonly WaitingTask[], sizes: BatchSizes): Promise<void> => {
    const rows = batch.map(one => one.rows?.rows ?? 1)
    const together = rows.reduce((sum, count) => sum + count, 0)
    send({ type: 'began', ids: batch.map(({ id }) => id) })
    const startedMs = performance.now()
    const outputs = await runJoined(batch, rows).catch(() => undefined)
    if (outputs !== undefined) sizes.record(together, (performance.now() - startedMs) * 1000)
    if (outputs !== undefined && (sizes.isConfirmed(together) || (await isAsAlone(batch, outputs)))) {
      sizes.confirm(together)
      socket.cork()
      batch.forEach((one, at) => {
        finish(one, outputs[at] ?? {}, startedMs, together)
      })
      socket.uncork()
      return
    }
    sizes.limit(outputs === undefined ? together / 2 : 1)
    for (const one of batch) {
      send({ type: 'began', ids: [one.id] })
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

  const work = async (): Promise<void> => {
    busy = true
    while (waiting.length > 0) {
      const batch = pickBatch(waiting, sizesOf, BATCH_BYTES, performance.now())
      for (const one of batch) waiting.splice(waiting.indexOf(one), 1)
      const [first] = batch
      if (first === undefined) break
      if (batch.length === 1) await runAlone(first)
      else await runTogether(batch, sizesOf(first.rows?.key ?? ''))
      // One turn of the event loop, so that what came during the run (a drop, companions) is heard before the next one begins.
      if (waiting.length > 0) await new Promise(resolve => setImmediate(resolve))
    }
    busy = false
  }

  const accept = (request: Extract<WorkerRequest, { type: 'run' }>): void => {
    const arrivedMs = performance.now()
    try {
      const prepared = prepare(task, request.value)
      const rows: RowsOfTask | undefined = batches && !request.alone ? rowsOfTask(prepared.input) : undefined
      const byteLength = Object.values(prepared.input.tensors).reduce((sum, tensor) => sum + tensor.data.byteLength, 0)
      waiting.push({ id: request.id, prepared, arrivedMs, deadlineMs: arrivedMs + request.limitMs, byteLength, rows })
    } catch (error) {
      fail(request.id, error)
    }
    if (!busy && waiting.length > 0) void work()
  }

  const read = createWorkerFrameReader(body => {
    const { head, take } = openFrame(body)
    const request = head as Wire<WorkerRequest>
    if (request.type === 'run') return accept({ ...request, value: fromWireValue(request.value, take) })
    const at = waiting.findIndex(({ id }) => id === request.id)
    if (at === -1) return
    waiting.splice(at, 1)
    fail(request.id, new MotorpoolError('ERR_ABORTED', 'the caller took the task back; submit again to run it'))
  })
  socket.on('data', read)
}

function failure(id: number, error: MotorpoolError): WorkerReply {
  // An output that is too large was the model's doing, not the caller's.
  const code = error.code === 'ERR_TOO_LARGE' ? 'ERR_RUN_FAILED' : error.code
  return { type: 'failed', id, code, message: error.message }
}
