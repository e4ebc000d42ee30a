import { randomUUID } from 'node:crypto'
import { copyFile, link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { MotorpoolError } from '../../protocol/errors.ts'
import { toHex } from '../../protocol/ids.ts'

/** Left over by a process that was killed while it wrote. */
const STALE_MS = 24 * 3_600_000

/**
 * Where things lie in a store:
 * `manifests/<CID>` signed manifests; one that is there stands for a model that is whole ·
 * `blobs/<sha256>` files of models and block lists · `models/<CID>/…` the files of a model at their paths, linked to blobs ·
 * `versions/<publisher>/<name>/<version>` the CID that bears this version, kept after removal, so that versions only rise ·
 * `partial/<sha256>` downloads under way · `temporary/` writes under way · `lock`, `locks/<CID>` see store-lock.ts.
 */
export class StoreFolder {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  async create(): Promise<void> {
    await diskErrors(this.path, async () => {
      for (const name of ['manifests', 'blobs', 'models', 'versions', 'partial', 'locks', 'temporary']) await mkdir(join(this.path, name), { recursive: true })
      const now = Date.now()
      for (const name of await readdir(join(this.path, 'temporary'))) {
        const path = join(this.path, 'temporary', name)
        const age = now - ((await ifExists(stat(path)))?.mtimeMs ?? now)
        if (age > STALE_MS) await rm(path, { recursive: true, force: true })
      }
    })
  }

  manifest(cid: string): string {
    return join(this.path, 'manifests', cid)
  }

  blob(digest: Uint8Array): string {
    return join(this.path, 'blobs', toHex(digest))
  }

  partial(digest: Uint8Array): string {
    return join(this.path, 'partial', toHex(digest))
  }

  model(cid: string): string {
    return join(this.path, 'models', cid)
  }

  versions(publisher: Uint8Array, name: string): string {
    return join(this.path, 'versions', toHex(publisher), name)
  }

  /** A path in the store's file system that nobody else uses. */
  temporary(): string {
    return join(this.path, 'temporary', randomUUID())
  }

  /** Writes a file so that it is there whole or not at all, even after a power cut. */
  async write(path: string, bytes: Uint8Array): Promise<void> {
    const temporary = this.temporary()
    await mkdir(dirname(path), { recursive: true })
    const file = await open(temporary, 'wx', 0o444)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await this.publish(temporary, path)
  }

  /** Moves a file or folder that is already on disk to its place. */
  async publish(temporary: string, path: string): Promise<void> {
    await rename(temporary, path)
    await syncFolder(dirname(path))
  }

  /** Links a file of the store to a second path, or copies it where the file system has no hard links. */
  async link(from: string, to: string): Promise<void> {
    await mkdir(dirname(to), { recursive: true })
    await link(from, to).catch(async () => {
      await copyFile(from, to)
    })
  }

  /** CIDs of the models that are there. */
  cids(): Promise<string[]> {
    return readdir(join(this.path, 'manifests'))
  }

  /** Digests of the blobs that are there, in hex. */
  blobs(): Promise<string[]> {
    return readdir(join(this.path, 'blobs'))
  }
}

/** Resolves with undefined when the file or folder doesn't exist. */
export async function ifExists<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise
  } catch (error) {
    if (isSystemError(error) && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined
    throw error
  }
}

/** The bytes of a file, undefined when it doesn't exist. */
export function readIfExists(path: string): Promise<Uint8Array | undefined> {
  return ifExists(readFile(path))
}

/** Makes renames in a folder last through a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } catch {
    // Some file systems can't sync folders; they order renames themselves.
  } finally {
    await folder.close()
  }
}

/** Turns what the disk refuses (full, read-only, no permission) into `ERR_DATA_FOLDER`. */
export async function diskErrors<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const fromSqlite = error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR'
    if (error instanceof MotorpoolError || !(isSystemError(error) || fromSqlite)) throw error
    throw new MotorpoolError(
      'ERR_DATA_FOLDER',
      `the model store ${folder} can't be used: ${error.message.replaceAll('\n', ' ')}; make room or give it a writable folder`,
      { cause: error }
    )
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}
