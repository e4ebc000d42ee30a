import { join } from 'node:path'
import { MotorpoolError } from '../../protocol/errors.ts'
import { equalBytes, toHex } from '../../protocol/ids.ts'
import type { DataFolder } from './data-folder.ts'
import { createWriter, damaged, guard, openDatabase, type Row, rowSum } from './open-database.ts'

/** Rows are only ever added, one after another: a commit then writes few pages, however many tasks there were before. */
const SCHEMA = `
  CREATE TABLE attempt (task BLOB, attempt INTEGER, car TEXT, sum BLOB, UNIQUE (task, attempt));
  CREATE TABLE result (task BLOB UNIQUE, attempt INTEGER, car TEXT, receipt BLOB, sum BLOB)`

/** A task as the journal knows it. */
export interface JournaledTask {
  /** The current attempt. */
  readonly attempt: number
  /** Whom it was sent to; empty for a reserved id without a result. */
  readonly car: string
  /** The receipt file, once its result has come. */
  readonly receipt: Uint8Array | undefined
}

/** An attempt that is about to be sent; `car` is the car's account. */
export interface AttemptRecord {
  readonly task: Uint8Array
  readonly attempt: number
  readonly car: string
}

export interface ResultRecord {
  readonly task: Uint8Array
  readonly attempt: number
  /** The receipt file. */
  readonly receipt: Uint8Array
  /** The account of the car that gave it. */
  readonly car: string
}

/** What a client must not forget. What a call has written is on disk when it returns; task ids are raw bytes. */
export interface ClientJournal {
  /**
   * Records the first attempts of tasks to come, under ids that were never used, so that none of them has to be recorded when it is
   * sent. Throws `ERR_ATTEMPT_USED` for an id that is known.
   */
  reserve: (tasks: readonly Uint8Array[]) => void
  /** Before an attempt is sent. Throws `ERR_ATTEMPT_USED` unless it is above every earlier one and no result has come. */
  recordAttempt: (task: Uint8Array, attempt: number, car: string) => void
  /** Many at once for the price of one write: all or, when one throws, none. */
  recordAttempts: (records: readonly AttemptRecord[]) => void
  /** Whether a result of this attempt still counts. */
  isCurrent: (task: Uint8Array, attempt: number) => boolean
  /** Once per task. Throws `ERR_ATTEMPT_USED` when the attempt is not current or a result is there. */
  recordResult: (record: ResultRecord) => void
  /** Many at once for the price of one write: all or, when one throws, none. */
  recordResults: (records: readonly ResultRecord[]) => void
  taskOf: (task: Uint8Array) => JournaledTask | undefined
  close: () => void
}

/** Opens `client-journal.sqlite`; throws `ERR_DATA_FOLDER` naming it, here or later, when it is damaged or can't be written. */
export function openClientJournal(folder: Pick<DataFolder, 'path'>): ClientJournal {
  const file = join(folder.path, 'client-journal.sqlite')
  const database = openDatabase({ file, schema: SCHEMA, version: 2, checks: { attempt: checkAttempt, result: checkResult } })
  const insertAttempt = database.prepare('INSERT INTO attempt VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING')
  const insertResult = database.prepare(
    'INSERT INTO result SELECT ?1, ?2, ?3, ?4, ?5 WHERE (SELECT max(attempt) FROM attempt WHERE task = ?1) = ?2 ON CONFLICT DO NOTHING'
  )
  const selectAttempt = database.prepare('SELECT * FROM attempt WHERE task = ? ORDER BY attempt DESC LIMIT 1')
  const inOneWrite = createWriter(database, file)
  const selectResult = database.prepare('SELECT * FROM result WHERE task = ?')

  function checkAttempt({ task, attempt, car, sum }: Row): { readonly attempt: number; readonly car: string } {
    const sound = task instanceof Uint8Array && typeof attempt === 'number' && typeof car === 'string' && sum instanceof Uint8Array
    if (!sound || !equalBytes(sum, rowSum(task, attempt, car))) throw damaged(file)
    return { attempt, car }
  }

  function checkResult({ task, attempt, car, receipt, sum }: Row): { readonly attempt: number; readonly car: string; readonly receipt: Uint8Array } {
    const sound =
      task instanceof Uint8Array &&
      typeof attempt === 'number' &&
      typeof car === 'string' &&
      receipt instanceof Uint8Array &&
      sum instanceof Uint8Array &&
      equalBytes(sum, rowSum(task, attempt, car, receipt))
    if (!sound) throw damaged(file)
    return { attempt, car, receipt }
  }

  const attemptOf = (task: Uint8Array): { readonly attempt: number; readonly car: string } | undefined => {
    const row = guard(file, () => selectAttempt.get(task))
    return row === undefined ? undefined : checkAttempt(row)
  }

  function taskOf(task: Uint8Array): JournaledTask | undefined {
    const latest = attemptOf(task)
    const row = guard(file, () => selectResult.get(task))
    if (row !== undefined) return checkResult(row)
    return latest === undefined ? undefined : { ...latest, receipt: undefined }
  }

  function isCurrent(task: Uint8Array, attempt: number): boolean {
    const found = taskOf(task)
    return found !== undefined && found.attempt === attempt && found.receipt === undefined
  }

  function writeAttempt({ task, attempt, car }: AttemptRecord): void {
    const found = taskOf(task)
    if (found !== undefined && (found.receipt !== undefined || found.attempt >= attempt)) throw used(task, attempt)
    insertAttempt.run(task, attempt, car, rowSum(task, attempt, car))
  }

  function writeFirst(task: Uint8Array): void {
    if (insertAttempt.run(task, 1, '', rowSum(task, 1, '')).changes !== 1) throw used(task, 1)
  }

  function writeResult({ task, attempt, receipt, car }: ResultRecord): void {
    if (insertResult.run(task, attempt, car, receipt, rowSum(task, attempt, car, receipt)).changes !== 1) throw used(task, attempt)
  }

  const recordAttempts = (records: readonly AttemptRecord[]): void => inOneWrite(() => records.forEach(writeAttempt))
  const recordResults = (records: readonly ResultRecord[]): void => inOneWrite(() => records.forEach(writeResult))

  return {
    reserve: tasks => inOneWrite(() => tasks.forEach(writeFirst)),
    recordAttempt: (task, attempt, car) => recordAttempts([{ task, attempt, car }]),
    recordAttempts,
    isCurrent,
    recordResult: record => recordResults([record]),
    recordResults,
    taskOf,
    close: () => database.close()
  }
}

function used(task: Uint8Array, attempt: number): MotorpoolError {
  return new MotorpoolError('ERR_ATTEMPT_USED', `attempt ${attempt} of task ${toHex(task)} is used up or no longer current; begin a new attempt`)
}
