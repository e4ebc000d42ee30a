import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'

export const SQLITE_BUSY = 5

/** SQLite's primary result codes (sqlite.org/rescode.html) that an owner can do something about. */
const ADVICE: Readonly<Record<number, string>> = {
  [SQLITE_BUSY]: 'is in use by another process; stop it',
  8: 'cannot be written; make the folder writable',
  10: 'cannot be read or written; check the disk',
  11: 'is damaged; move it away, or restore a copy',
  13: 'cannot grow because the disk is full; free space',
  14: 'cannot be opened; check the folder and its permissions',
  26: 'is not a journal; move it away, or restore a copy'
}

/** A journal's folder is locked, so only a reader that came before us can be in the way, and that not for long. */
const BUSY_TIMEOUT_MS = 5000

export type Row = Record<string, SQLOutputValue>

export interface DatabaseInit {
  readonly file: string
  /** SQL that makes the tables. */
  readonly schema: string
  /** Changes with the schema. */
  readonly version: number
  /** Per table, what throws when a row is not sound; asked for every row at the start. */
  readonly checks: Readonly<Record<string, (row: Row) => unknown>>
}

/**
 * Opens a journal (0600), making it at first use: write-ahead log, every commit on disk before it returns. Throws
 * `ERR_DATA_FOLDER` naming the file when it is damaged, foreign or can't be written.
 */
export function openDatabase(init: DatabaseInit): DatabaseSync {
  const { file } = init
  if (!existsSync(file)) createDatabase(init)
  // Made whole before it got its name, so an empty file is a loss and not a beginning.
  if (statSync(file).size === 0) throw damaged(file)
  return guard(file, () => {
    const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
    try {
      // One process has it for as long as it runs: no lock is taken and given back, and no memory shared, at every write.
      database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF')
      checkDatabase(database, init)
      return database
    } catch (error) {
      database.close()
      throw error
    }
  })
}

function checkDatabase(database: DatabaseSync, { file, version, checks }: DatabaseInit): void {
  const found = database.prepare('PRAGMA user_version').get()?.['user_version']
  if (found !== version)
    throw new MotorpoolError('ERR_DATA_FOLDER', `${file} has version ${String(found)}, this program needs ${version}; use the program that wrote it`)
  // The quick one doesn't compare indexes with their tables, and a row that its index has lost is never read again.
  if (database.prepare('PRAGMA integrity_check(1)').get()?.['integrity_check'] !== 'ok') throw damaged(file)
  for (const [table, check] of Object.entries(checks)) {
    for (const row of database.prepare(`SELECT * FROM ${table}`).iterate()) check(row)
  }
}

/** Runs what writes as one transaction, on disk when it returns: all of it or, when it throws, nothing. Errors as `guard`. */
export function createWriter(database: DatabaseSync, file: string): (write: () => void) => void {
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  return write =>
    guard(file, () => {
      begin.run()
      try {
        write()
        commit.run()
      } catch (error) {
        rollBack(database)
        throw error
      }
    })
}

/** On a full disk SQLite has rolled back by itself, and says so. */
function rollBack(database: DatabaseSync): void {
  try {
    database.exec('ROLLBACK')
  } catch (error) {
    if (sqliteCode(error) === undefined) throw error
  }
}

/** Runs SQL; SQLite's errors become `ERR_DATA_FOLDER` naming the file. */
export function guard<T>(file: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    const code = sqliteCode(cause)
    if (code === undefined) throw cause
    throw new MotorpoolError('ERR_DATA_FOLDER', `${file} ${ADVICE[code] ?? `failed with SQLite's code ${code}; check the disk`}`, { cause })
  }
}

/** The primary result code of an error that SQLite raised; extended codes carry it in their low byte. */
export function sqliteCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}

/**
 * A check value for a row, the CRC-32 of its fields: SQLite notices pages without structure, but not a flipped bit in a value. Rows
 * are checked when they are read, and all of them at the start, because a row whose key flipped is never read again.
 */
export function rowSum(...fields: readonly (Uint8Array | string | number | null)[]): number {
  let head = ''
  for (const field of fields) {
    if (field instanceof Uint8Array) head += `${field.length};`
    else head += typeof field === 'string' ? `${field.length}:${field},` : `${field},`
  }
  let sum = crc32(head)
  for (const field of fields) if (field instanceof Uint8Array) sum = crc32(field, sum)
  // With a sign, it takes four bytes of a row and not six.
  return sum | 0
}

export function damaged(file: string): MotorpoolError {
  return new MotorpoolError('ERR_DATA_FOLDER', `${file} is damaged; move it away, or restore a copy`)
}

function createDatabase({ file, schema, version }: DatabaseInit): void {
  const fresh = `${file}.new`
  try {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${fresh}${suffix}`, { force: true })
    closeSync(openSync(fresh, 'wx', 0o600))
    guard(file, () => {
      const database = new DatabaseSync(fresh)
      try {
        database.exec(`PRAGMA synchronous = FULL; ${schema}; PRAGMA user_version = ${version}`)
      } finally {
        database.close()
      }
    })
    renameSync(fresh, file)
    syncFolder(dirname(file))
  } catch (cause) {
    if (isMotorpoolError(cause)) throw cause
    throw new MotorpoolError('ERR_DATA_FOLDER', `${file} cannot be made; make its folder writable, or free space on the disk`, { cause })
  }
}

/** A new name is on disk only once its folder is. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
