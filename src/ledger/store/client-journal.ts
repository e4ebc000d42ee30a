import { join } from 'node:path'
import { MotorpoolError } from '../../protocol/errors.ts'
import { toHex } from '../../protocol/ids.ts'
import { encodeReceipt, type Receipt } from '../receipt.ts'
import type { DataFolder } from './data-folder.ts'
import { createWriter, damaged, guard, openDatabase, type Row, rowSum } from './open-database.ts'
import { checkResult, joined, RESULT_TABLE, type ResultRow } from './result-row.ts'
import { checkDraw, createTaskNumbers, DRAW_TABLE, type NumberedTask } from './task-numbers.ts'

/** Rows are only ever added, one after another: a commit then writes few pages, however many tasks there were before. */
const SCHEMA = `
  ${DRAW_TABLE};
  CREATE TABLE attempt (task INTEGER, attempt INTEGER, car TEXT, sum INTEGER, PRIMARY KEY (task, attempt)) WITHOUT ROWID;
  ${RESULT_TABLE}`

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
  /** What the receipt file holds; results that share their `flush` and `binding`, as objects, share their place on the disk. */
  readonly receipt: Receipt
  /** The account of the car that gave it. */
  readonly car: string
}

/** What a client must not forget. What a call has written is on disk when it returns; task ids are raw bytes. */
export interface ClientJournal {
  /**
   * Records the first attempts of tasks to come, so that none of them has to be recorded when it is sent: their ids are `start`, of 15
   * bytes, and a last byte from 0 to `count` − 1. Throws `ERR_ATTEMPT_USED` when a task is known whose id begins so.
   */
  reserve: (start: Uint8Array, count: number) => void
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

type Sent = Pick<JournaledTask, 'attempt' | 'car'>

/** The result whose row holds what others of its flush and write share with it. */
type FirstOfFlush = Pick<Receipt, 'binding'> & Pick<ResultRecord, 'car'> & { readonly number: number }

/** Opens `client-journal.sqlite`; throws `ERR_DATA_FOLDER` naming it, here or later, when it is damaged or can't be written. */
export function openClientJournal(folder: Pick<DataFolder, 'path'>): ClientJournal {
  const file = join(folder.path, 'client-journal.sqlite')
  const database = openDatabase({
    file,
    schema: SCHEMA,
    version: 3,
    checks: { draw: row => checkDraw(file, row), attempt: checkAttempt, result: row => checkResult(file, row) }
  })
  const insertAttempt = database.prepare('INSERT INTO attempt VALUES (?, ?, ?, ?)')
  const insertResult = database.prepare(
    `INSERT INTO result SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
      WHERE coalesce((SELECT max(attempt) FROM attempt WHERE task = ?1), ?12) = ?2 ON CONFLICT DO NOTHING`
  )
  const selectAttempt = database.prepare('SELECT * FROM attempt WHERE task = ? ORDER BY attempt DESC LIMIT 1')
  const selectResult = database.prepare('SELECT * FROM result WHERE task = ?')
  const numbers = createTaskNumbers(database, file)
  const inOneWrite = createWriter(database, file)

  function checkAttempt({ task, attempt, car, sum }: Row): Sent {
    const sound = typeof task === 'number' && typeof attempt === 'number' && typeof car === 'string'
    if (!sound || sum !== rowSum(task, attempt, car)) throw damaged(file)
    return { attempt, car }
  }

  /** The current attempt, and whom it was sent to. */
  function sentOf({ number, reserved }: NumberedTask): Sent | undefined {
    const row = guard(file, () => selectAttempt.get(number))
    if (row !== undefined) return checkAttempt(row)
    return reserved ? { attempt: 1, car: '' } : undefined
  }

  function resultOf(number: number): ResultRow | undefined {
    const row = guard(file, () => selectResult.get(number))
    return row === undefined ? undefined : checkResult(file, row)
  }

  function taskOf(task: Uint8Array): JournaledTask | undefined {
    const numbered = numbers.find(task)
    if (numbered === undefined) return undefined
    const result = resultOf(numbered.number)
    if (result === undefined) {
      const sent = sentOf(numbered)
      return sent === undefined ? undefined : { ...sent, receipt: undefined }
    }
    const shared = result.shared ?? resultOf(result.first)?.shared
    if (shared === undefined) throw damaged(file)
    const { car, ...parts } = shared
    return { attempt: result.attempt, car, receipt: encodeReceipt({ ...result.own, ...parts }) }
  }

  function isCurrent(task: Uint8Array, attempt: number): boolean {
    const numbered = numbers.find(task)
    return numbered !== undefined && sentOf(numbered)?.attempt === attempt && resultOf(numbered.number) === undefined
  }

  /** All of it or, when one throws, nothing. */
  function write<Of>(records: readonly Of[], writeOne: (record: Of) => void): void {
    try {
      inOneWrite(() => {
        for (const record of records) writeOne(record)
      })
    } catch (error) {
      numbers.forget()
      throw error
    }
  }

  function recordAttempts(records: readonly AttemptRecord[]): void {
    write(records, ({ task, attempt, car }) => {
      const numbered = numbers.give(task)
      const sent = sentOf(numbered)
      if ((sent !== undefined && sent.attempt >= attempt) || resultOf(numbered.number) !== undefined) throw used(task, attempt)
      insertAttempt.run(numbered.number, attempt, car, rowSum(numbered.number, attempt, car))
    })
  }

  function recordResults(records: readonly ResultRecord[]): void {
    const firsts = new Map<Uint8Array, FirstOfFlush>()
    write(records, record => writeResult(record, firsts))
  }

  function writeResult({ task, attempt, receipt, car }: ResultRecord, firsts: Map<Uint8Array, FirstOfFlush>): void {
    const numbered = numbers.find(task)
    if (numbered === undefined) throw used(task, attempt)
    const { number, reserved } = numbered
    const { leaf, proof, opening, flush, binding } = receipt
    const first = firsts.get(flush)
    const isFirst = first === undefined || first.binding !== binding || first.car !== car
    if (isFirst) firsts.set(flush, { number, binding, car })
    const own = [number, attempt, leaf, proof.index, joined(proof.path), opening?.salt ?? null] as const
    const shared = isFirst ? ([number, flush, binding, car] as const) : ([first.number, null, null, null] as const)
    const { changes } = insertResult.run(...own, ...shared, rowSum(...own, ...shared), reserved ? 1 : null)
    if (changes !== 1) throw used(task, attempt)
  }

  return {
    reserve: (start, count) => {
      if (!numbers.reserve(start, count)) throw used(start, 1)
    },
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
