import { closeSync, lstatSync, mkdirSync, openSync, type Stats } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { MotorpoolError } from '../../protocol/errors.ts'
import { SQLITE_BUSY, sqliteCode } from './open-database.ts'

/** A folder with a peer's keys and journals, held by this process alone for one role. */
export interface DataFolder {
  /** Absolute. */
  readonly path: string
  readonly role: 'car' | 'client'
  /** Lets others have it. Close its journals first. */
  close: () => void
}

/** Referenced for as long as they are held: a collected database would give its lock back. */
const heldLocks = new Set<DatabaseSync>()

/**
 * Opens a data folder, making it (0700) when it isn't there, and locks it for `role` until `close` or the end of the
 * process, however it ends. A car and a client may share one. Throws `ERR_DATA_FOLDER` when it is no folder, another user's,
 * or open to others, and `ERR_DATA_FOLDER_LOCKED` when another instance has it.
 */
export function openDataFolder(path: string, role: 'car' | 'client'): DataFolder {
  const folder = resolve(path)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new MotorpoolError('ERR_DATA_FOLDER', `the data folder ${folder} cannot be made; name one that you can write`, { cause })
  }
  checkPrivate(folder, lstatSync(folder))
  const lock = takeLock(join(folder, `${role}.lock`))
  return { path: folder, role, close: () => releaseLock(lock) }
}

function checkPrivate(folder: string, stats: Stats): void {
  if (!stats.isDirectory()) throw new MotorpoolError('ERR_DATA_FOLDER', `${folder} is not a folder; name another`)
  if (process.getuid !== undefined && stats.uid !== process.getuid())
    throw new MotorpoolError('ERR_DATA_FOLDER', `the data folder ${folder} belongs to another user; name your own`)
  if (process.platform !== 'win32' && (stats.mode & 0o077) !== 0)
    throw new MotorpoolError('ERR_DATA_FOLDER', `the data folder ${folder} is open to other users; run chmod 700 on it`)
}

/** An open exclusive transaction: the system takes its file lock back when the process dies. */
function takeLock(file: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    closeSync(openSync(file, 'a', 0o600))
    database = new DatabaseSync(file)
    database.exec('BEGIN EXCLUSIVE')
    heldLocks.add(database)
    return database
  } catch (cause) {
    database?.close()
    if (sqliteCode(cause) === SQLITE_BUSY)
      throw new MotorpoolError('ERR_DATA_FOLDER_LOCKED', `${file} is held by another instance; stop it, or name another data folder`, { cause })
    throw new MotorpoolError('ERR_DATA_FOLDER', `${file} cannot be locked; make its folder writable, or remove the file if it is damaged`, { cause })
  }
}

function releaseLock(lock: DatabaseSync): void {
  if (heldLocks.delete(lock)) lock.close()
}
