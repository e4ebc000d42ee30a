import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { MotorpoolError, throwIfAborted } from '../../protocol/errors.ts'
import type { StoreFolder } from './store-folder.ts'

/** SQLITE_BUSY and its extended codes: another process or another store of this one holds the lock. */
const BUSY = 5
const POLL_MS = 20
/** Changes under the lock take milliseconds, or as long as it takes to read a model once. */
const GIVE_UP_MS = 120_000

/** Runs `work` while no other process changes the store. */
export function withStoreLock<T>(folder: StoreFolder, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  return withLock(join(folder.path, 'lock'), GIVE_UP_MS, work, options)
}

/** Runs `work` while no other process fetches this model; waits for one that does until its end, or the caller's. */
export function withFetchLock<T>(folder: StoreFolder, cid: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  return withLock(join(folder.path, 'locks', cid), Number.POSITIVE_INFINITY, work, options)
}

interface LockOptions {
  readonly signal?: AbortSignal
}

/**
 * SQLite's file lock works on every system and ends with its process, however that dies. Throws `ERR_DATA_FOLDER_LOCKED` when
 * another one doesn't let go.
 */
async function withLock<T>(path: string, giveUpMs: number, work: () => Promise<T>, options: LockOptions): Promise<T> {
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    const since = performance.now()
    while (!tryLock(database)) {
      throwIfAborted(options.signal)
      if (performance.now() - since > giveUpMs) {
        throw new MotorpoolError('ERR_DATA_FOLDER_LOCKED', `another process is holding ${path}; stop it or try again`, { retryable: true })
      }
      await setTimeout(POLL_MS)
    }
    return await work()
  } finally {
    database.close()
  }
}

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === BUSY) return false
    throw error
  }
}
