import type { Receipt } from '../receipt.ts'
import { damaged, type Row, rowSum } from './open-database.ts'

/**
 * Results by their tasks' numbers, with the parts of their receipts. Of those that one flush proves and one write records, the first
 * holds what they share; each names it as `first`.
 */
export const RESULT_TABLE = `CREATE TABLE result (task INTEGER UNIQUE, attempt INTEGER, leaf BLOB, position INTEGER, path BLOB, salt BLOB,
  first INTEGER, flush BLOB, binding BLOB, car TEXT, sum INTEGER)`

/** A row of it that is sound. */
export interface ResultRow {
  readonly attempt: number
  readonly own: Pick<Receipt, 'leaf' | 'proof' | 'opening'>
  readonly first: number
  /** There in the first of its flush. */
  readonly shared: (Pick<Receipt, 'flush' | 'binding'> & { readonly car: string }) | undefined
}

const HASH_BYTES = 32

/** Throws `ERR_DATA_FOLDER` when a row of the table is not sound. */
export function checkResult(file: string, row: Row): ResultRow {
  const { task, attempt, leaf, position, path, salt, first, flush, binding, car, sum } = row
  const ownSound =
    typeof task === 'number' &&
    typeof attempt === 'number' &&
    leaf instanceof Uint8Array &&
    typeof position === 'number' &&
    path instanceof Uint8Array &&
    (salt instanceof Uint8Array || salt === null) &&
    typeof first === 'number'
  if (!ownSound) throw damaged(file)
  const own = { leaf, proof: { index: position, path: parted(path) }, opening: salt === null ? null : { salt } }
  const fields = [task, attempt, leaf, position, path, salt, first] as const
  if (flush instanceof Uint8Array && binding instanceof Uint8Array && typeof car === 'string') {
    if (sum !== rowSum(...fields, flush, binding, car)) throw damaged(file)
    return { attempt, own, first, shared: { flush, binding, car } }
  }
  if (sum !== rowSum(...fields, null, null, null)) throw damaged(file)
  return { attempt, own, first, shared: undefined }
}

/** A proof's path as it lies in a row. */
export function joined(path: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(path)
}

function parted(path: Uint8Array): Uint8Array[] {
  return Array.from({ length: path.length / HASH_BYTES }, (_, at) => path.slice(at * HASH_BYTES, (at + 1) * HASH_BYTES))
}
