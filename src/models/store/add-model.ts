import { rm } from 'node:fs/promises'
import { encodeCbor } from '../../protocol/cbor.ts'
import { sealEnvelope } from '../../protocol/envelope.ts'
import { MotorpoolError, throwIfAborted } from '../../protocol/errors.ts'
import { cidOf, equalBytes, type ModelCid, sha256, toHex } from '../../protocol/ids.ts'
import { LIMITS } from '../../protocol/limits.ts'
import type { Signer } from '../../protocol/signer.ts'
import { type Batching, type ManifestFile, type ModelManifest, type ModelTask, manifestSchema, type StoredModel } from '../model.ts'
import { checkContents } from './check-contents.ts'
import { checkPaths } from './check-manifest.ts'
import { type CollectedFile, collectFiles } from './collect-files.ts'
import { fileDigests } from './file-digests.ts'
import { highestVersion, installModel } from './install-model.ts'
import type { StoreFolder } from './store-folder.ts'
import { withStoreLock } from './store-lock.ts'

export interface AddOptions {
  readonly signal?: AbortSignal
  /** Signs the manifest. */
  readonly publisher: Signer
  /** Lower-case letters, digits, `.`, `_`, `-`. @default the file's or folder's name */
  readonly name?: string
  /** @default `ocr` for a folder that holds its parts, else `tensors` */
  readonly task?: ModelTask
  /** Must be higher than any that this publisher had here under this name. @default the highest known + 1 */
  readonly version?: number
  /** SPDX expression. @default 'NOASSERTION' */
  readonly licence?: string
  /** How far honest results may differ across numerics classes. @default NUMERICS of the task */
  readonly numerics?: ModelManifest['numerics']
  /** Whether cars may run tasks of several clients in one batch: only where a row's result doesn't depend on the others. @default 'none' */
  readonly batching?: Batching
  /** Seconds since 1970 UTC that the manifest bears. @default now */
  readonly now?: number
  /** Seconds since 1970 UTC from which on nobody fetches it. @default never */
  readonly expires?: number
}

/** To start from until a model's own figures are measured (trust.md, Comparators), in millionths: for `ocr`, `atol` is the share of edits. */
export const NUMERICS: Readonly<Record<ModelTask, ModelManifest['numerics']>> = {
  tensors: { comparator: 'tensors', atol: 100, rtol: 1000 },
  ocr: { comparator: 'ocr', atol: 5000, rtol: 0 }
}

/** Copies a model into the store and signs its manifest; the CIDs of the models by that name tell whether it was there already. */
export async function addModel(folder: StoreFolder, path: string, options: AddOptions, stored: () => Promise<readonly StoredModel[]>): Promise<ModelCid> {
  const collected = await collectFiles(path, options.task)
  checkPaths(collected.files.map(file => file.path))
  const copies: CollectedFile[] = []
  try {
    const sources = new Map<string, string>()
    const blockLists = new Map<string, Uint8Array>()
    const files: ManifestFile[] = []
    for (const file of collected.files) {
      const copy = folder.temporary()
      copies.push({ path: file.path, source: copy })
      const digests = await fileDigests(file.source, { copyTo: copy, signal: options.signal })
      const large = digests.size > LIMITS.block
      files.push({ path: file.path, sha256: digests.sha256, size: digests.size, ...(large ? { blocks: sha256(digests.blockList) } : {}) })
      sources.set(toHex(digests.sha256), copy)
      if (large) blockLists.set(toHex(digests.sha256), digests.blockList)
    }
    const contents = await checkContents(collected.task, copies, options)
    const draft: ModelManifest = {
      v: 1,
      name: options.name ?? collected.name,
      version: options.version ?? 1,
      task: collected.task,
      files,
      ...contents,
      numerics: options.numerics ?? NUMERICS[collected.task],
      licence: options.licence ?? 'NOASSERTION',
      publisher: options.publisher.publicKey,
      issued: options.now ?? Math.floor(Date.now() / 1000),
      ...(options.batching === undefined || options.batching === 'none' ? {} : { batching: options.batching }),
      ...(options.expires === undefined ? {} : { expires: options.expires })
    }
    checkOptions(draft)
    return await withStoreLock(
      folder,
      async () => {
        throwIfAborted(options.signal)
        const same = (await stored()).filter(({ manifest }) => manifest.name === draft.name && equalBytes(manifest.publisher, draft.publisher))
        const known = options.version === undefined ? same.at(0) : same.find(({ manifest }) => manifest.version === options.version)
        const again = known !== undefined && equalBytes(content(known.manifest), content(draft)) ? known : undefined
        const version = options.version ?? (await highestVersion(folder, draft.publisher, draft.name)) + 1
        const manifest = again?.manifest ?? { ...draft, version }
        const envelope = again?.envelope ?? sealEnvelope(options.publisher, 'manifest', manifest)
        const cid = cidOf(envelope)
        // What is there already is put in place again, which mends files that went bad.
        await installModel(folder, { cid, envelope, manifest, sources, blockLists })
        return cid
      },
      options
    )
  } finally {
    for (const copy of copies) await rm(copy.source, { force: true })
  }
}

/** What makes a model another one: all but when and as which version it was published. */
function content(manifest: ModelManifest): Uint8Array {
  return encodeCbor({ ...manifest, version: 1, issued: 0 })
}

function checkOptions(manifest: ModelManifest): void {
  const result = manifestSchema.safeParse(manifest)
  const issue = result.error?.issues[0]
  if (issue === undefined) return
  throw new MotorpoolError('ERR_INVALID_OPTION', `the model's ${issue.path.join('.') || 'manifest'} is not usable: ${issue.message}; give another`, {
    cause: result.error
  })
}
