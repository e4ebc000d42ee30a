import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { MotorpoolError, throwIfAborted } from '../../protocol/errors.ts'

/** SQLITE_BUSY and its extended codes: another process or another store of this one holds the lock. */
const BUSY = 5
const POLL_MS = 20
/** Changes under the lock take milliseconds, or as long as it takes to read a model once. */
const GIVE_UP_MS = 120_000

/**
 * Runs `work` while no other process changes the store. SQLite's file lock carries it: it works on every system and ends
 * with its process, however that dies. Throws `ERR_DATA_FOLDER_LOCKED` when another process doesn't let go.
 */
export async function withStoreLock<T>(folder: string, work: () => Promise<T>, options: { readonly signal?: AbortSignal } = {}): Promise<T> {
  const database = new DatabaseSync(join(folder, 'lock'), { timeout: 0 })
  try {
    const since = performance.now()
    while (!tryLock(database)) {
      throwIfAborted(options.signal)
      if (performance.now() - since > GIVE_UP_MS) {
        throw new MotorpoolError('ERR_DATA_FOLDER_LOCKED', `another process is changing the model store ${folder}; stop it or try again`, { retryable: true })
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
