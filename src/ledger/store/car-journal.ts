import { join } from 'node:path'
import { MotorpoolError } from '../../protocol/errors.ts'
import { equalBytes, toHex } from '../../protocol/ids.ts'
import { forgetOldest } from '../../protocol/limits.ts'
import type { DataFolder } from './data-folder.ts'
import { createWriter, damaged, guard, openDatabase, type Row, rowSum } from './open-database.ts'

/** Leaves are only ever added, one after another: a commit then writes few pages, however many leaves there were before. */
const SCHEMA = `
  CREATE TABLE leaf (account BLOB, task BLOB, part INTEGER, attempt INTEGER, leaf BLOB, sum BLOB, UNIQUE (task, part, attempt, account));
  CREATE TABLE lease (lease BLOB PRIMARY KEY, ceiling INTEGER, sum BLOB) WITHOUT ROWID`

/** Numbers taken from the disk at once, so that most tasks cost no write for theirs; a crash skips the rest of them. */
const SEQUENCE_STEP = 64
/** Leases whose numbers are at hand, several times as many as a car has open; the next number of another is read from the disk. */
const LEASES_AT_HAND = 64

/** One leaf as it is about to be signed; ids are raw bytes. */
export interface LeafRecord {
  /** The car's account that signs. */
  readonly account: Uint8Array
  readonly task: Uint8Array
  readonly part: number
  readonly attempt: number
  /** dag-cbor. */
  readonly leaf: Uint8Array
}

/** What a car must not forget. What a call has written is on disk when it returns. */
export interface CarJournal {
  /** Throws `ERR_ATTEMPT_USED` when another leaf was recorded for this account, task, part and attempt; the same again is fine. */
  recordLeaf: (account: Uint8Array, task: Uint8Array, part: number, attempt: number, leaf: Uint8Array) => void
  /** Many at once for the price of one write: all or, when one throws, none. */
  recordLeaves: (records: readonly LeafRecord[]) => void
  /** The recorded leaf, if any. */
  leafOf: (account: Uint8Array, task: Uint8Array, part: number, attempt: number) => Uint8Array | undefined
  /** Rises by one with each call for a lease, from 0; after a crash, or 64 other leases, some numbers are left out, none comes twice. */
  nextSeq: (lease: Uint8Array) => number
  close: () => void
}

/** Opens `car-journal.sqlite`; throws `ERR_DATA_FOLDER` naming it, here or later, when it is damaged or can't be written. */
export function openCarJournal(folder: Pick<DataFolder, 'path'>): CarJournal {
  const file = join(folder.path, 'car-journal.sqlite')
  const database = openDatabase({ file, schema: SCHEMA, version: 2, checks: { leaf: checkLeafRow, lease: checkLeaseRow } })
  const insertLeaf = database.prepare('INSERT INTO leaf VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING')
  const selectLeaf = database.prepare('SELECT * FROM leaf WHERE account = ? AND task = ? AND part = ? AND attempt = ?')
  const upsertLease = database.prepare('INSERT INTO lease VALUES (?, ?, ?) ON CONFLICT (lease) DO UPDATE SET ceiling = excluded.ceiling, sum = excluded.sum')
  const selectLease = database.prepare('SELECT * FROM lease WHERE lease = ?')
  const inOneWrite = createWriter(database, file)
  const sequences = new Map<string, { next: number; ceiling: number }>()

  function checkLeafRow(row: Row): Uint8Array {
    const { account, task, part, attempt, leaf, sum } = row
    const sound =
      account instanceof Uint8Array &&
      task instanceof Uint8Array &&
      typeof part === 'number' &&
      typeof attempt === 'number' &&
      leaf instanceof Uint8Array &&
      sum instanceof Uint8Array &&
      equalBytes(sum, rowSum(account, task, part, attempt, leaf))
    if (!sound) throw damaged(file)
    return leaf
  }

  function checkLeaseRow(row: Row): number {
    const { lease, ceiling, sum } = row
    const sound = lease instanceof Uint8Array && typeof ceiling === 'number' && sum instanceof Uint8Array && equalBytes(sum, rowSum(lease, ceiling))
    if (!sound) throw damaged(file)
    return ceiling
  }

  function leafOf(account: Uint8Array, task: Uint8Array, part: number, attempt: number): Uint8Array | undefined {
    const row = guard(file, () => selectLeaf.get(account, task, part, attempt))
    return row === undefined ? undefined : checkLeafRow(row)
  }

  function insert({ account, task, part, attempt, leaf }: LeafRecord): void {
    if (insertLeaf.run(account, task, part, attempt, leaf, rowSum(account, task, part, attempt, leaf)).changes === 1) return
    const recorded = leafOf(account, task, part, attempt)
    if (recorded === undefined || !equalBytes(recorded, leaf)) {
      throw new MotorpoolError('ERR_ATTEMPT_USED', `attempt ${attempt} of task ${toHex(task)} has a receipt already; ask under a new attempt`)
    }
  }

  const recordLeaves = (records: readonly LeafRecord[]): void => inOneWrite(() => records.forEach(insert))

  function readCeiling(lease: Uint8Array): number {
    const row = guard(file, () => selectLease.get(lease))
    return row === undefined ? 0 : checkLeaseRow(row)
  }

  function nextSeq(lease: Uint8Array): number {
    const key = toHex(lease)
    const reserved = sequences.get(key)
    const ceiling = reserved?.ceiling ?? readCeiling(lease)
    const next = reserved?.next ?? ceiling
    if (next < ceiling) {
      sequences.set(key, { next: next + 1, ceiling })
      return next
    }
    const raised = ceiling + SEQUENCE_STEP
    guard(file, () => upsertLease.run(lease, raised, rowSum(lease, raised)))
    sequences.delete(key)
    sequences.set(key, { next: next + 1, ceiling: raised })
    forgetOldest(sequences, LEASES_AT_HAND)
    return next
  }

  return {
    recordLeaf: (account, task, part, attempt, leaf) => recordLeaves([{ account, task, part, attempt, leaf }]),
    recordLeaves,
    leafOf,
    nextSeq,
    close: () => database.close()
  }
}
