import { join } from 'node:path'
import { MotorpoolError } from '../../protocol/errors.ts'
import { equalBytes, toHex } from '../../protocol/ids.ts'
import { forgetOldest } from '../../protocol/limits.ts'
import type { DataFolder } from './data-folder.ts'
import { createWriter, damaged, guard, openDatabase, type Row, rowSum } from './open-database.ts'

/**
 * Leaves are only ever added, one after another: a commit then writes few pages, however many leaves there were before. An account
 * signs many: they name it by a number, for the pages that its key would fill.
 */
const SCHEMA = `
  CREATE TABLE account (number INTEGER PRIMARY KEY, account BLOB UNIQUE, sum INTEGER);
  CREATE TABLE leaf (account INTEGER, task BLOB, part INTEGER, attempt INTEGER, leaf BLOB, sum INTEGER, UNIQUE (task, part, attempt, account));
  CREATE TABLE lease (lease BLOB PRIMARY KEY, ceiling INTEGER, sum INTEGER) WITHOUT ROWID`

/** Numbers taken from the disk at once, so that most tasks cost no write for theirs; a crash skips the rest of them. */
const SEQUENCE_STEP = 64
/** Leases whose numbers are at hand, several times as many as a car has open; the next number of another is read from the disk. */
const LEASES_AT_HAND = 64
/** Accounts whose numbers are at hand; a car has one for each client that it works for. */
const ACCOUNTS_AT_HAND = 64

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
  const checks = { account: checkAccountRow, leaf: checkLeafRow, lease: checkLeaseRow }
  const database = openDatabase({ file, schema: SCHEMA, version: 3, checks })
  const insertAccount = database.prepare('INSERT INTO account VALUES (?, ?, ?)')
  const selectAccount = database.prepare('SELECT * FROM account WHERE account = ?')
  const selectLastAccount = database.prepare('SELECT * FROM account ORDER BY number DESC LIMIT 1')
  const insertLeaf = database.prepare('INSERT INTO leaf VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING')
  const selectLeaf = database.prepare('SELECT * FROM leaf WHERE account = ? AND task = ? AND part = ? AND attempt = ?')
  const upsertLease = database.prepare('INSERT INTO lease VALUES (?, ?, ?) ON CONFLICT (lease) DO UPDATE SET ceiling = excluded.ceiling, sum = excluded.sum')
  const selectLease = database.prepare('SELECT * FROM lease WHERE lease = ?')
  const inOneWrite = createWriter(database, file)
  const accounts = new Map<string, number>()
  const sequences = new Map<string, { next: number; ceiling: number }>()

  function checkAccountRow({ number, account, sum }: Row): number {
    if (typeof number !== 'number' || !(account instanceof Uint8Array) || sum !== rowSum(number, account)) throw damaged(file)
    return number
  }

  function checkLeafRow({ account, task, part, attempt, leaf, sum }: Row): Uint8Array {
    const sound =
      typeof account === 'number' && task instanceof Uint8Array && typeof part === 'number' && typeof attempt === 'number' && leaf instanceof Uint8Array
    if (!sound || sum !== rowSum(account, task, part, attempt, leaf)) throw damaged(file)
    return leaf
  }

  function checkLeaseRow({ lease, ceiling, sum }: Row): number {
    if (!(lease instanceof Uint8Array) || typeof ceiling !== 'number' || sum !== rowSum(lease, ceiling)) throw damaged(file)
    return ceiling
  }

  /** The number of an account that has leaves, or is about to have one. */
  function numberOf(account: Uint8Array): number | undefined {
    const key = toHex(account)
    const known = accounts.get(key)
    if (known !== undefined) return known
    const row = guard(file, () => selectAccount.get(account))
    if (row === undefined) return undefined
    const number = checkAccountRow(row)
    accounts.set(key, number)
    forgetOldest(accounts, ACCOUNTS_AT_HAND)
    return number
  }

  function nextNumber(account: Uint8Array): number {
    const row = guard(file, () => selectLastAccount.get())
    const number = row === undefined ? 1 : checkAccountRow(row) + 1
    insertAccount.run(number, account, rowSum(number, account))
    return number
  }

  function leafOf(account: Uint8Array, task: Uint8Array, part: number, attempt: number): Uint8Array | undefined {
    const number = numberOf(account)
    const row = number === undefined ? undefined : guard(file, () => selectLeaf.get(number, task, part, attempt))
    return row === undefined ? undefined : checkLeafRow(row)
  }

  function insert({ account, task, part, attempt, leaf }: LeafRecord): void {
    const number = numberOf(account) ?? nextNumber(account)
    if (insertLeaf.run(number, task, part, attempt, leaf, rowSum(number, task, part, attempt, leaf)).changes === 1) return
    const recorded = leafOf(account, task, part, attempt)
    if (recorded === undefined || !equalBytes(recorded, leaf)) {
      throw new MotorpoolError('ERR_ATTEMPT_USED', `attempt ${attempt} of task ${toHex(task)} has a receipt already; ask under a new attempt`)
    }
  }

  function recordLeaves(records: readonly LeafRecord[]): void {
    try {
      inOneWrite(() => {
        for (const record of records) insert(record)
      })
    } catch (error) {
      // A number that was given in this write went back with it.
      accounts.clear()
      throw error
    }
  }

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
