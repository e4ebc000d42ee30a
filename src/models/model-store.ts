import { rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isMotorpoolError, MotorpoolError } from '../protocol/errors.ts'
import { cidToBytes, equalBytes, type ModelCid, toHex } from '../protocol/ids.ts'
import type { BlockSource, ModelManifest, StoredModel } from './model.ts'
import { checkPolicy } from './model-policy.ts'
import { type AddOptions, addModel } from './store/add-model.ts'
import { BlockIndex } from './store/block-index.ts'
import { openManifest } from './store/check-manifest.ts'
import { type FetchOptions, fetchModel } from './store/fetch-model.ts'
import { fileDigests } from './store/file-digests.ts'
import { diskErrors, ifExists, readIfExists, StoreFolder, syncFolder } from './store/store-folder.ts'
import { withFetchLock, withStoreLock } from './store/store-lock.ts'

/**
 * Models on disk, by CID and by name. Several processes may share one store; what one adds or removes, the others see at once.
 * Every method throws `ERR_DATA_FOLDER` when the disk is full, read-only or broken.
 */
export interface ModelStore {
  readonly folder: string
  /**
   * Adds a single ONNX file, a folder with one, or an `ocr` folder, and signs its manifest. Adding the same again gives the same
   * model, and mends its files. Errors: `ERR_NOT_ONNX`, `ERR_BAD_MODEL`, `ERR_BAD_MANIFEST` (paths; version not higher),
   * `ERR_INVALID_OPTION`, `ERR_ABORTED`.
   */
  add: (path: string, options: AddOptions) => Promise<StoredModel>
  /** The newest version of a name, or the model of a CID; files are there in full length. Errors: `ERR_MODEL_UNKNOWN`, `ERR_BAD_MODEL`, `ERR_BAD_MANIFEST`. */
  get: (nameOrCid: string) => Promise<StoredModel>
  /** As `get`, with the digest of every file checked, once per process unless a file is touched; do this before loading one. */
  open: (nameOrCid: string, options?: { readonly signal?: AbortSignal }) => Promise<StoredModel>
  /** All models, by name, newest version first. Those that can't be read are left out and told to `onBroken`. */
  list: (options?: { readonly onBroken?: (cid: string, error: MotorpoolError) => void }) => Promise<readonly StoredModel[]>
  /** Removes the model of a CID, or all versions of a name; resolves with what was removed. Errors: `ERR_MODEL_UNKNOWN`. */
  remove: (nameOrCid: string) => Promise<readonly ModelCid[]>
  /** A signed manifest or a block of a file, at most `LIMITS.block` bytes, checked. Errors: `ERR_MODEL_UNKNOWN`, `ERR_BAD_MODEL`. */
  readBlock: (cid: string) => Promise<Uint8Array>
  /**
   * Fetches a model from peers unless it is here and whole. A fetch that breaks off is resumed by the next. Errors: `ERR_MODEL_NOT_ALLOWED`
   * (before any file), `ERR_BAD_MANIFEST` (swapped, forged, rolled back, from the future), `ERR_EXPIRED`, `ERR_BAD_MODEL` (a swapped,
   * cut off or corrupt block: retryable; a model that the linter refuses: not), `ERR_NOT_ONNX`, and those of the source.
   */
  fetch: (cid: string, source: BlockSource, options?: FetchOptions) => Promise<StoredModel>
}

/** Opens the model store in a folder, which is made if it isn't there. */
export async function openModelStore(path: string): Promise<ModelStore> {
  const folder = new StoreFolder(resolve(path))
  await folder.create()
  return new FolderModelStore(folder)
}

const MENDED_BY_FETCHING: ReadonlySet<string> = new Set(['ERR_MODEL_UNKNOWN', 'ERR_BAD_MODEL', 'ERR_BAD_MANIFEST'])

interface Manifest {
  readonly envelope: Uint8Array
  readonly manifest: ModelManifest
}

class FolderModelStore implements ModelStore {
  readonly #folder: StoreFolder
  readonly #blocks: BlockIndex
  /** Files found good, and manifests read, each with what would change if they were touched. */
  readonly #good = new Map<string, string>()
  readonly #manifests = new Map<string, Manifest & { readonly touched: string }>()

  constructor(folder: StoreFolder) {
    this.#folder = folder
    this.#blocks = new BlockIndex(folder)
  }

  get folder(): string {
    return this.#folder.path
  }

  add(path: string, options: AddOptions): Promise<StoredModel> {
    return diskErrors(this.folder, async () => this.#read(await addModel(this.#folder, path, options, () => this.list())))
  }

  get(nameOrCid: string): Promise<StoredModel> {
    return diskErrors(this.folder, async () => {
      if (await this.#has(nameOrCid)) return this.#read(nameOrCid)
      const named: (Manifest & { cid: string })[] = []
      await this.#forEachManifest((cid, read) => {
        if (read.manifest.name === nameOrCid) named.push({ cid, ...read })
      })
      return this.#read(this.#newest(nameOrCid, named))
    })
  }

  open(nameOrCid: string, options: { readonly signal?: AbortSignal } = {}): Promise<StoredModel> {
    return diskErrors(this.folder, async () => {
      const model = await this.get(nameOrCid)
      for (const file of model.manifest.files) {
        const path = join(model.folder, file.path)
        const touched = await touchMark(path)
        if (this.#good.get(path) === touched) continue
        const digests = await fileDigests(path, options)
        if (!equalBytes(digests.sha256, file.sha256)) throw damaged(model.manifest, model.cid, `${file.path} was changed on disk (${path})`)
        this.#good.set(path, touched)
      }
      return model
    })
  }

  list(options: { readonly onBroken?: (cid: string, error: MotorpoolError) => void } = {}): Promise<readonly StoredModel[]> {
    return diskErrors(this.folder, async () => {
      const models: StoredModel[] = []
      await this.#forEachManifest(async cid => models.push(await this.#read(cid)), options.onBroken)
      return models.sort(
        (left, right) => compare(left.manifest.name, right.manifest.name) || right.manifest.version - left.manifest.version || compare(left.cid, right.cid)
      )
    })
  }

  remove(nameOrCid: string): Promise<readonly ModelCid[]> {
    return diskErrors(this.folder, () =>
      withStoreLock(this.#folder, async () => {
        const cids = (await this.#has(nameOrCid))
          ? [nameOrCid as ModelCid]
          : (await this.list()).filter(model => model.manifest.name === nameOrCid).map(model => model.cid)
        if (cids.length === 0) throw this.#unknown(nameOrCid)
        // The manifest goes first: what is half removed no longer shows.
        for (const cid of cids) await rm(this.#folder.manifest(cid), { force: true })
        await syncFolder(join(this.folder, 'manifests'))
        for (const cid of cids) await rm(this.#folder.model(cid), { recursive: true, force: true })
        await this.#removeUnusedBlobs()
        return cids
      })
    )
  }

  readBlock(cid: string): Promise<Uint8Array> {
    return diskErrors(this.folder, async () => {
      if (await this.#has(cid)) {
        const { envelope } = await this.#manifest(cid)
        return envelope
      }
      return this.#blocks.read(cid, async model => (await this.#manifest(model)).manifest)
    })
  }

  fetch(cid: string, source: BlockSource, options: FetchOptions = {}): Promise<StoredModel> {
    return diskErrors(this.folder, async () => {
      cidToBytes(cid)
      const present = await this.#openUnlessBroken(cid, options)
      if (present !== undefined) return present
      return withFetchLock(
        this.#folder,
        cid,
        async () => {
          // Another process may have fetched it meanwhile.
          const fetched = await this.#openUnlessBroken(cid, options)
          if (fetched !== undefined) return fetched
          await fetchModel(this.#folder, cid as ModelCid, source, options)
          return this.#read(cid)
        },
        options
      )
    })
  }

  async #openUnlessBroken(cid: string, options: FetchOptions): Promise<StoredModel | undefined> {
    try {
      const model = await this.open(cid, options)
      checkPolicy(options.policy, model)
      return model
    } catch (error) {
      if (isMotorpoolError(error) && MENDED_BY_FETCHING.has(error.code)) return undefined
      throw error
    }
  }

  async #has(cid: string): Promise<boolean> {
    return isCid(cid) && (await ifExists(stat(this.#folder.manifest(cid)))) !== undefined
  }

  async #forEachManifest(visit: (cid: string, read: Manifest) => unknown, onBroken?: (cid: string, error: MotorpoolError) => void): Promise<void> {
    for (const cid of await this.#folder.cids()) {
      try {
        await visit(cid, await this.#manifest(cid))
      } catch (error) {
        if (!isMotorpoolError(error)) throw error
        // Unknown: removed by another process since the folder was listed.
        if (error.code !== 'ERR_MODEL_UNKNOWN') onBroken?.(cid, error)
      }
    }
  }

  /** The manifest under a CID; read and checked again only when the file is another one. */
  async #manifest(cid: string): Promise<Manifest> {
    const path = this.#folder.manifest(cid)
    const touched = await ifExists(touchMark(path))
    const known = this.#manifests.get(cid)
    if (known !== undefined && known.touched === touched) return known
    const bytes = touched === undefined ? undefined : await readIfExists(path)
    if (touched === undefined || bytes === undefined) throw this.#unknown(cid)
    const envelope = new Uint8Array(bytes)
    const read = { touched, envelope, manifest: openManifest(envelope, cid) }
    this.#manifests.set(cid, read)
    return read
  }

  async #read(cid: string): Promise<StoredModel> {
    const { envelope, manifest } = await this.#manifest(cid)
    const folder = this.#folder.model(cid)
    for (const file of manifest.files) {
      const found = await ifExists(stat(join(folder, file.path)))
      if (found === undefined) throw damaged(manifest, cid, `${file.path} is missing`)
      if (found.size !== file.size) throw damaged(manifest, cid, `${file.path} has ${found.size} bytes instead of ${file.size}`)
    }
    return { cid: cid as ModelCid, manifest, envelope, folder }
  }

  #newest(name: string, named: readonly { readonly cid: string; readonly manifest: ModelManifest }[]): string {
    const [newest] = named.toSorted((left, right) => right.manifest.version - left.manifest.version)
    if (newest === undefined) throw this.#unknown(name)
    const publishers = new Set(named.map(model => toHex(model.manifest.publisher)))
    if (publishers.size === 1) return newest.cid
    const cids = named.slice(0, 4).map(model => model.cid)
    throw new MotorpoolError('ERR_MODEL_UNKNOWN', `${publishers.size} publishers have a model named ${name}; give the CID of one: ${cids.join(', ')}`)
  }

  async #removeUnusedBlobs(): Promise<void> {
    const used = new Set<string>()
    for (const cid of await this.#folder.cids()) {
      // A manifest that can't be read may need any of them.
      const { manifest } = await this.#manifest(cid).catch(() => ({ manifest: undefined }))
      if (manifest === undefined) return
      for (const file of manifest.files) {
        used.add(toHex(file.sha256))
        if (file.blocks !== undefined) used.add(toHex(file.blocks))
      }
    }
    for (const blob of await this.#folder.blobs()) if (!used.has(blob)) await rm(join(this.folder, 'blobs', blob), { force: true })
  }

  #unknown(nameOrCid: string): MotorpoolError {
    return new MotorpoolError(
      'ERR_MODEL_UNKNOWN',
      `no model ${JSON.stringify(nameOrCid.slice(0, 100))} is in ${this.folder}; see \`motorpool model ls\`, or add it with \`motorpool model add\``
    )
  }
}

/** Differs whenever a file was replaced or written to. */
async function touchMark(path: string): Promise<string> {
  const { ino, size, mtimeMs, ctimeMs } = await stat(path)
  return `${ino} ${size} ${mtimeMs} ${ctimeMs}`
}

function isCid(text: string): boolean {
  try {
    cidToBytes(text)
    return true
  } catch {
    return false
  }
}

function damaged(manifest: ModelManifest, cid: string, what: string): MotorpoolError {
  return new MotorpoolError('ERR_BAD_MODEL', `model ${manifest.name} (${cid}) is damaged: ${what}; add or fetch it again`)
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
