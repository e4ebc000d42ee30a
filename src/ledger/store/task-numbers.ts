import type { DatabaseSync } from 'node:sqlite'
import { forgetOldest } from '../../protocol/limits.ts'
import { damaged, guard, type Row, rowSum } from './open-database.ts'

/** What ids begin with, all but their last byte; of those that were drawn at once, the first `count` are known without a row of their own. */
export const DRAW_TABLE = 'CREATE TABLE draw (number INTEGER PRIMARY KEY, start BLOB UNIQUE, count INTEGER, sum INTEGER)'

/** Draws at hand, several times as many as a client has tasks of at once; another is read from the disk. */
const DRAWS_AT_HAND = 64
/** Ids with one start, as many as a last byte tells apart. */
const IDS_OF_A_START = 256

interface Draw {
  readonly number: number
  readonly count: number
}

/** A task's place among all of a journal. */
export interface NumberedTask {
  readonly number: number
  /** Whether its id is one of those that `reserve` was given. */
  readonly reserved: boolean
}

/** Numbers for tasks that rise with time, whatever their ids: rows that go by them are added at the end of their tables and indexes. */
export interface TaskNumbers {
  /** False when the start is known. On disk when it returns. */
  reserve: (start: Uint8Array, count: number) => boolean
  find: (task: Uint8Array) => NumberedTask | undefined
  /** Gives one to a task that has none, within the caller's write. */
  give: (task: Uint8Array) => NumberedTask
  /** To be called when a write was taken back, and with it what was given. */
  forget: () => void
}

/** Throws `ERR_DATA_FOLDER` when a row of the table is not sound. */
export function checkDraw(file: string, { number, start, count, sum }: Row): Draw {
  const sound = typeof number === 'number' && start instanceof Uint8Array && typeof count === 'number'
  if (!sound || sum !== rowSum(number, start, count)) throw damaged(file)
  return { number, count }
}

export function createTaskNumbers(database: DatabaseSync, file: string): TaskNumbers {
  const insert = database.prepare('INSERT INTO draw VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING')
  const select = database.prepare('SELECT * FROM draw WHERE start = ?')
  const last = database.prepare('SELECT * FROM draw ORDER BY number DESC LIMIT 1').get()
  const draws = new Map<string, Draw>()
  let next = last === undefined ? 0 : checkDraw(file, last).number + 1

  function drawOf(task: Uint8Array): Draw | undefined {
    const start = task.subarray(0, -1)
    const key = Buffer.from(start.buffer, start.byteOffset, start.length).toString('latin1')
    const known = draws.get(key)
    if (known !== undefined) return known
    const row = guard(file, () => select.get(start))
    if (row === undefined) return undefined
    const draw = checkDraw(file, row)
    draws.set(key, draw)
    forgetOldest(draws, DRAWS_AT_HAND)
    return draw
  }

  /** False when the start is known. The number of a write that failed stays unused. */
  function add(number: number, start: Uint8Array, count: number): boolean {
    return insert.run(number, start, count, rowSum(number, start, count)).changes === 1
  }

  function find(task: Uint8Array): NumberedTask | undefined {
    const draw = drawOf(task)
    return draw === undefined ? undefined : numbered(draw, task)
  }

  function give(task: Uint8Array): NumberedTask {
    const known = find(task)
    if (known !== undefined) return known
    const number = next++
    add(number, task.subarray(0, -1), 0)
    return numbered({ number, count: 0 }, task)
  }

  return {
    reserve: (start, count) => guard(file, () => add(next++, start, count)),
    find,
    give,
    forget: () => draws.clear()
  }
}

function numbered({ number, count }: Draw, task: Uint8Array): NumberedTask {
  const at = task.at(-1) ?? 0
  return { number: number * IDS_OF_A_START + at, reserved: at < count }
}
