import { join } from 'node:path'
import { MotorpoolError } from '../../protocol/errors.ts'
import { equalBytes, toHex } from '../../protocol/ids.ts'
import type { DataFolder } from './data-folder.ts'
import { damaged, guard, inOneWrite, openDatabase, type Row, rowSum } from './open-database.ts'

const SCHEMA = 'CREATE TABLE task (task BLOB PRIMARY KEY, attempt INTEGER, car TEXT, receipt BLOB, sum BLOB) WITHOUT ROWID'

/** A task as the journal knows it. */
export interface JournaledTask {
  /** The current attempt. */
  readonly attempt: number
  /** Whom it was sent to. */
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
}

/** What a client must not forget. What a call has written is on disk when it returns; task ids are raw bytes. */
export interface ClientJournal {
  /** Before an attempt is sent. Throws `ERR_ATTEMPT_USED` unless it is above every earlier one and no result has come. */
  recordAttempt: (task: Uint8Array, attempt: number, car: string) => void
  /** Many at once for the price of one write: all or, when one throws, none. */
  recordAttempts: (records: readonly AttemptRecord[]) => void
  /** Whether a result of this attempt still counts. */
  isCurrent: (task: Uint8Array, attempt: number) => boolean
  /** Once per task. Throws `ERR_ATTEMPT_USED` when the attempt is not current or a result is there. */
  recordResult: (task: Uint8Array, attempt: number, receipt: Uint8Array) => void
  /** Many at once for the price of one write: all or, when one throws, none. */
  recordResults: (records: readonly ResultRecord[]) => void
  taskOf: (task: Uint8Array) => JournaledTask | undefined
  close: () => void
}

/** Opens `client-journal.sqlite`; throws `ERR_DATA_FOLDER` naming it, here or later, when it is damaged or can't be written. */
export function openClientJournal(folder: Pick<DataFolder, 'path'>): ClientJournal {
  const file = join(folder.path, 'client-journal.sqlite')
  const database = openDatabase({ file, schema: SCHEMA, version: 1, checks: { task: checkRow } })
  const upsert = database.prepare(
    'INSERT INTO task VALUES (?, ?, ?, ?, ?) ON CONFLICT (task) DO UPDATE SET attempt = excluded.attempt, car = excluded.car, receipt = excluded.receipt, sum = excluded.sum'
  )
  const select = database.prepare('SELECT * FROM task WHERE task = ?')

  function checkRow(row: Row): JournaledTask {
    const { task, attempt, car, receipt, sum } = row
    const sound = task instanceof Uint8Array && typeof attempt === 'number' && typeof car === 'string' && (receipt === null || receipt instanceof Uint8Array)
    const found = sound ? { attempt, car, receipt: receipt ?? undefined } : undefined
    if (!sound || found === undefined || !(sum instanceof Uint8Array) || !equalBytes(sum, sumOf(task, found))) throw damaged(file)
    return found
  }

  function taskOf(task: Uint8Array): JournaledTask | undefined {
    const row = guard(file, () => select.get(task))
    return row === undefined ? undefined : checkRow(row)
  }

  function write(task: Uint8Array, state: JournaledTask): void {
    guard(file, () => upsert.run(task, state.attempt, state.car, state.receipt ?? null, sumOf(task, state)))
  }

  function isCurrent(task: Uint8Array, attempt: number): boolean {
    const found = taskOf(task)
    return found !== undefined && found.attempt === attempt && found.receipt === undefined
  }

  function writeAttempt({ task, attempt, car }: AttemptRecord): void {
    const found = taskOf(task)
    if (found !== undefined && (found.receipt !== undefined || found.attempt >= attempt)) throw used(task, attempt)
    write(task, { attempt, car, receipt: undefined })
  }

  function writeResult({ task, attempt, receipt }: ResultRecord): void {
    const found = taskOf(task)
    if (found === undefined || found.attempt !== attempt || found.receipt !== undefined) throw used(task, attempt)
    write(task, { ...found, receipt })
  }

  return {
    recordAttempt: (task, attempt, car) => writeAttempt({ task, attempt, car }),
    recordAttempts: records => inOneWrite(database, file, () => records.forEach(writeAttempt)),
    recordResult: (task, attempt, receipt) => writeResult({ task, attempt, receipt }),
    recordResults: records => inOneWrite(database, file, () => records.forEach(writeResult)),
    isCurrent,
    taskOf,
    close: () => database.close()
  }
}

function sumOf(task: Uint8Array, { attempt, car, receipt }: JournaledTask): Uint8Array {
  return rowSum(task, attempt, car, receipt ?? '')
}

function used(task: Uint8Array, attempt: number): MotorpoolError {
  return new MotorpoolError('ERR_ATTEMPT_USED', `attempt ${attempt} of task ${toHex(task)} is used up or no longer current; begin a new attempt`)
}
