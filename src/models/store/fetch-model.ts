import { type FileHandle, open, rm } from 'node:fs/promises'
import { encodeCbor } from '../../protocol/cbor.ts'
import { anySignal, MotorpoolError, throwIfAborted } from '../../protocol/errors.ts'
import { cidOfDigest, equalBytes, type ModelCid, sha256, toHex } from '../../protocol/ids.ts'
import { LIMITS } from '../../protocol/limits.ts'
import type { BlockSource, ManifestFile, ModelManifest, ModelPolicy } from '../model.ts'
import { checkPolicy } from '../model-policy.ts'
import { checkContents } from './check-contents.ts'
import { openManifest } from './check-manifest.ts'
import { fileDigests, readFully } from './file-digests.ts'
import { checkVersion, installModel } from './install-model.ts'
import type { StoreFolder } from './store-folder.ts'
import { withStoreLock } from './store-lock.ts'

export interface FetchOptions {
  readonly signal?: AbortSignal
  /** Refuses before any file is fetched what the owner doesn't allow. @default everything is allowed */
  readonly policy?: ModelPolicy
  /** Hears of every block, resumed ones included. */
  readonly onProgress?: (progress: { readonly bytes: number; readonly totalBytes: number }) => void
  /** Seconds since 1970 UTC. @default now */
  readonly now?: number
}

/** Enough to hide a round trip, few enough that nothing else starves. */
const BLOCKS_IN_FLIGHT = 4

/**
 * Fetches a model from peers: manifest, policy, then files, each block checked before it is written. Blocks that an earlier,
 * broken-off fetch left are checked and kept.
 */
export async function fetchModel(folder: StoreFolder, cid: ModelCid, source: BlockSource, options: FetchOptions): Promise<void> {
  const { policy, signal } = options
  const envelope = await source.fetch(cid, { signal })
  const manifest = openManifest(envelope, cid)
  checkPolicy(policy, { cid, manifest })
  checkTimes(manifest, options.now ?? Math.floor(Date.now() / 1000))
  await checkVersion(folder, manifest, cid)

  const totalBytes = manifest.files.reduce((sum, file) => sum + file.size, 0)
  let bytes = 0
  const progress = (more: number): void => {
    bytes += more
    options.onProgress?.({ bytes, totalBytes })
  }
  const sources = new Map<string, string>()
  const blockLists = new Map<string, Uint8Array>()
  for (const file of manifest.files) {
    const key = toHex(file.sha256)
    const digests = file.blocks === undefined ? file.sha256 : await fetchBlockList(file, source, options)
    if (file.blocks !== undefined) blockLists.set(key, digests)
    const path = folder.partial(file.sha256)
    await fetchFile(path, file, digests, source, progress, options)
    sources.set(key, path)
  }
  const contents = await checkContents(
    manifest.task,
    manifest.files.map(file => ({ path: file.path, source: folder.partial(file.sha256) })),
    { signal }
  )
  if (!equalBytes(encodeCbor(contents), encodeCbor({ inputs: manifest.inputs, outputs: manifest.outputs }))) {
    throw new MotorpoolError(
      'ERR_BAD_MODEL',
      `model ${manifest.name} (${cid}) declares other inputs or outputs than its graph has; ask its publisher for a new version`
    )
  }
  await withStoreLock(folder, () => installModel(folder, { cid, envelope, manifest, sources, blockLists }), { signal })
  for (const path of sources.values()) await rm(path, { force: true })
}

function checkTimes(manifest: ModelManifest, now: number): void {
  const { name, issued, expires } = manifest
  if (issued > now + LIMITS.clockSkewSeconds)
    throw new MotorpoolError(
      'ERR_BAD_MANIFEST',
      `the manifest of model ${name} was issued ${issued - now} s from now; set this machine's clock, or ask its publisher`
    )
  if (expires !== undefined && now >= expires)
    throw new MotorpoolError('ERR_EXPIRED', `the manifest of model ${name} expired ${now - expires} s ago; ask for its newest version`)
}

async function fetchBlockList(file: ManifestFile, source: BlockSource, options: FetchOptions): Promise<Uint8Array> {
  const digest = file.blocks ?? file.sha256
  const list = await source.fetch(cidOfDigest(digest), { signal: options.signal })
  checkBlock(list, digest, Math.ceil(file.size / LIMITS.block) * 32, `the block list of ${file.path}`, digest)
  return list
}

/** Fetches what is missing of a file into `path`. */
async function fetchFile(
  path: string,
  file: ManifestFile,
  digests: Uint8Array,
  source: BlockSource,
  progress: (bytes: number) => void,
  options: FetchOptions
): Promise<void> {
  const handle = await open(path, 'a+').then(async created => {
    await created.close()
    return open(path, 'r+')
  })
  try {
    const count = digests.byteLength / 32
    let next = 0
    const stop = new AbortController()
    const signal = anySignal(options.signal, stop.signal)
    const fetchBlocks = async (): Promise<void> => {
      while (next < count) {
        const index = next++
        throwIfAborted(signal)
        const offset = index * LIMITS.block
        const byteLength = Math.min(LIMITS.block, file.size - offset)
        const digest = digests.subarray(index * 32, index * 32 + 32)
        if (!(await holdsBlock(handle, offset, byteLength, digest))) {
          const bytes = await source.fetch(cidOfDigest(digest), { signal })
          checkBlock(bytes, digest, byteLength, `block ${index + 1} of ${count} of ${file.path}`, digests)
          await handle.write(bytes, 0, byteLength, offset)
        }
        progress(byteLength)
      }
    }
    const workers = Array.from({ length: Math.min(BLOCKS_IN_FLIGHT, count) }, fetchBlocks)
    try {
      await Promise.all(workers)
    } finally {
      stop.abort()
      await Promise.allSettled(workers)
    }
    await handle.truncate(file.size)
    await handle.sync()
  } finally {
    await handle.close()
  }
  if (!equalBytes((await fileDigests(path, { signal: options.signal })).sha256, file.sha256)) {
    await rm(path, { force: true })
    throw new MotorpoolError('ERR_BAD_MODEL', `${file.path}: its blocks don't add up to the file that the manifest names; ask its publisher for a new version`)
  }
}

async function holdsBlock(file: FileHandle, offset: number, byteLength: number, digest: Uint8Array): Promise<boolean> {
  const bytes = new Uint8Array(byteLength)
  return (await readFully(file, bytes, offset)) === byteLength && equalBytes(sha256(bytes), digest)
}

/** Throws `ERR_BAD_MODEL`, which another peer may not cause, unless the bytes are those asked for. */
function checkBlock(bytes: Uint8Array, digest: Uint8Array, byteLength: number, label: string, siblings: Uint8Array): void {
  const hash = sha256(bytes)
  if (equalBytes(hash, digest) && bytes.byteLength === byteLength) return
  const swapped = Buffer.from(siblings.buffer, siblings.byteOffset, siblings.byteLength).indexOf(hash)
  const what =
    bytes.byteLength < byteLength
      ? 'is cut off'
      : bytes.byteLength > byteLength
        ? 'is too long'
        : swapped >= 0 && swapped % 32 === 0
          ? 'was swapped with another'
          : 'is corrupt'
  throw new MotorpoolError('ERR_BAD_MODEL', `${label} ${what}; fetch again, from another peer (what came well is kept)`, { retryable: true })
}
