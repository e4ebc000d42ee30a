import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { JobOutcome, JobTask } from '../../client/client.ts'
import { DEFAULT_TARGET_MS } from '../../client/steps/client-state.ts'
import { openModelStore } from '../../models/model-store.ts'
import { isMotorpoolError, type MotorpoolError } from '../../protocol/errors.ts'
import { type BatchRecord, openBatchRecord } from '../batch/batch-record.ts'
import { type BatchSource, openBatchSource } from '../batch/batch-source.ts'
import { startProgress } from '../batch/progress.ts'
import type { CommandContext } from '../context.ts'
import { findMesh, type MeshOptions, openClient, withMeshOptions } from '../join-mesh.ts'
import { priceCeiling, secondsToMs, withCommonOptions } from '../options.ts'
import { shortPeer } from '../table.ts'
import type { TaskInput } from '../task-input.ts'
import { resultJson, textOf } from '../task-output.ts'

interface BatchOptions extends MeshOptions {
  readonly in: string
  readonly out: string
  readonly receipts?: string
  readonly deadline?: number
  readonly pay?: ReturnType<typeof priceCeiling>
}

/** A batch is left alone for long: its tasks may wait for cars to come home. */
const DEADLINE_MS = 600_000

/** `motorpool batch MODEL --in … --out FILE`: many tasks, recorded one by one, so that it goes on where it was killed. */
export function addBatch(program: Command, context: CommandContext): void {
  const command = program.command('batch').description('run many tasks; run it again to go on where it was stopped').argument('<model>', 'a model’s name')
  withMeshOptions(withCommonOptions(command, 'motorpool batch ocr --in pages --out texts.jsonl --receipts receipts'))
    .requiredOption('--in <folder-or-jsonl>', 'a folder of images (or .json requests), or a file of lines {"key","file"} or {"key","inputs"}')
    .requiredOption('--out <file>', 'where results go, a line of JSON each; the last line of a key counts')
    .option('--receipts <folder>', 'where to leave the receipts')
    .option('--deadline <seconds>', 'give up on a task after this long (default: 600)', secondsToMs)
    .option('--pay <price>', 'most to pay for a task, such as 0.001EUR (default: nothing)', priceCeiling)
    .action((model: string, options: BatchOptions) => batch(model, options, context))
}

async function batch(name: string, options: BatchOptions, context: CommandContext): Promise<void> {
  const mesh = await findMesh(options, context)
  const model = await (await openModelStore(mesh.modelFolder)).get(name)
  const source = await openBatchSource(options.in, model.manifest.task)
  const record = openBatchRecord(options.out)
  if (options.receipts !== undefined) mkdirSync(options.receipts, { recursive: true })
  const total = source.keys.length
  const skipped = source.keys.filter(key => record.done.has(key)).length
  const progress = startProgress(total, 'tasks', context.note)
  const inputs = new Map<string, TaskInput>()
  let done = skipped
  let failed = 0
  const end = (key: string, line: Record<string, unknown> & { status: 'done' | 'failed' }, detail: string) => {
    record.append({ key, ...line })
    inputs.delete(key)
    if (line.status === 'done') done += 1
    else failed += 1
    progress.update(done + failed, detail)
  }
  const fail = (key: string, error: MotorpoolError) => end(key, { status: 'failed', error: { code: error.code, message: error.message } }, `${key} failed`)
  const settle = (outcome: JobOutcome) => {
    if (outcome.status === 'failed') return context.signal.aborted ? undefined : fail(outcome.key, outcome.error)
    const { key, result } = outcome
    const receipt = options.receipts === undefined ? undefined : writeReceipt(options.receipts, key, result.receipt)
    const output = model.manifest.task === 'ocr' ? { text: textOf(result) } : { outputs: resultJson(result, inputs.get(key) ?? { inputs: {} }, model).outputs }
    end(key, { status: 'done', ...output, car: result.car, attempt: result.attempt, receipt }, `${key} by ${shortPeer(result.car)}`)
  }
  try {
    if (skipped < total) {
      const peer = await openClient(mesh, context)
      try {
        const tasks = waitingTasks(source, record, inputs, fail)
        const times = options.deadline === undefined ? { deadlineMs: DEADLINE_MS, targetMs: DEFAULT_TARGET_MS } : { deadlineMs: options.deadline }
        for await (const outcome of peer.submit({ model: model.cid, tasks, signal: context.signal, ...times, ...options.pay })) settle(outcome)
      } finally {
        await peer.stop()
      }
    }
  } finally {
    progress.stop()
    record.close()
  }
  const summary = { total, done, skipped, failed, out: options.out }
  context.print(
    options.json === true
      ? JSON.stringify(summary)
      : `${done} of ${total} tasks are in ${options.out}${skipped > 0 ? `, ${skipped} of them from before` : ''}${failed > 0 ? `; ${failed} failed, run it again to try them` : ''}`
  )
  if (failed > 0) context.endWith(1)
}

/** The tasks that have no recorded result yet; a bad input is recorded as failed and passed over. */
async function* waitingTasks(
  source: BatchSource,
  record: BatchRecord,
  inputs: Map<string, TaskInput>,
  fail: (key: string, error: MotorpoolError) => void
): AsyncGenerator<JobTask> {
  for await (const { key, read } of source.tasks()) {
    if (record.done.has(key)) continue
    try {
      const input = await read()
      inputs.set(key, { inputs: {}, id: input.id, outputs: input.outputs })
      yield { key, inputs: input.inputs }
    } catch (error) {
      if (!isMotorpoolError(error)) throw error
      fail(key, error)
    }
  }
}

/** On disk before the result that names it. */
function writeReceipt(folder: string, key: string, receipt: Uint8Array): string {
  const path = join(folder, `${encodeURIComponent(key)}.receipt`)
  const file = openSync(path, 'w', 0o600)
  try {
    writeSync(file, receipt)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  return path
}
