import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import type { RunnableModel, Runner, RunnerOptions } from '../../src/inference/runner.ts'
import { startRunner } from '../../src/inference/start-runner.ts'
import { encodeStrings, type Tensor, type TensorType, type Value } from '../../src/protocol/tensor.ts'

/** A folder that is removed when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'motorpool-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A runner of one ONNX file, stopped when the test ends. */
export async function startTestRunner(onnx: Uint8Array, options: RunnerOptions = {}, batching?: RunnableModel['batching']): Promise<Runner> {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'model.onnx'), onnx)
  const runner = await startRunner({ cid: 'test', task: 'tensors', folder, files: ['model.onnx'], batching }, options)
  onTestFinished(() => runner.stop())
  return runner
}

/** One runner for all tests of a describe block. */
export function sharedRunner(onnx: Uint8Array): { readonly runner: () => Runner } {
  let folder: string
  let runner: Runner
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'motorpool-test-'))
    await writeFile(join(folder, 'model.onnx'), onnx)
    runner = await startRunner({ cid: 'test', task: 'tensors', folder, files: ['model.onnx'] })
  })
  afterAll(async () => {
    await runner.stop()
    await rm(folder, { recursive: true })
  })
  return { runner: () => runner }
}

export function value(tensors: Record<string, Tensor>): Value {
  return { kind: 'tensors', parameters: {}, tensors }
}

export function tensor(type: TensorType, dims: readonly number[], data: ArrayBufferView | readonly string[]): Tensor {
  return { type, dims, data: ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : encodeStrings(data) }
}

export const gibibytes = (count: number): Value => value({ gibibytes: tensor('int64', [1], BigInt64Array.of(BigInt(count))) })
export const forever = (yes: boolean): Value => value({ forever: tensor('bool', [], Uint8Array.of(yes ? 1 : 0)) })
export const oneFloat = (x: number): Value => value({ x: tensor('float32', [1], Float32Array.of(x)) })

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
