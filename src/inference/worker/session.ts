import { readFile } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import * as ort from 'onnxruntime-node'
import { MotorpoolError } from '../../protocol/errors.ts'
import type { RunnableModel } from '../runner.ts'
import { oneLine } from './ort-errors.ts'

/** The level is pinned and told in the numerics class, because it changes bits. */
export const GRAPH_OPTIMIZATION = 'all'

/** Options that every session of a worker shares. */
export function sessionOptions(threads: number): ort.InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    graphOptimizationLevel: GRAPH_OPTIMIZATION,
    executionMode: 'sequential',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Fatal only: what matters comes as an exception, and a log could hold parts of an input.
    logSeverityLevel: 4
  }
}

/** The place of a model's file; throws `ERR_BAD_MODEL` when it would lie outside of the model's folder. */
export function modelFile(model: RunnableModel, path: string): string {
  const folder = resolve(model.folder)
  const file = resolve(folder, path)
  if (!file.startsWith(folder + sep))
    throw new MotorpoolError('ERR_BAD_MODEL', `model file ${path} lies outside of the model's folder; name files by paths inside of it`)
  return file
}

/**
 * Loads an ONNX file from its bytes: external data would then be looked for in the working directory, which is empty.
 * Throws `ERR_BAD_MODEL` when ONNX Runtime refuses it.
 */
export async function openSession(model: RunnableModel, path: string, threads: number): Promise<ort.InferenceSession> {
  const bytes = await readFile(modelFile(model, path)).catch((cause: unknown) => {
    throw new MotorpoolError('ERR_BAD_MODEL', `model file ${path} cannot be read (${oneLine(cause)}); add the model again`, { cause })
  })
  return await ort.InferenceSession.create(bytes, sessionOptions(threads))
}
