import type { ClientJournal } from '../../ledger/store/client-journal.ts'
import { type TaskId, toHex } from '../../protocol/ids.ts'

/** First attempts that one write records: its cost is then that of one task in so many. */
const RESERVED_AT_ONCE = 64

/** Random bytes that ids drawn at once begin with; the last byte counts them. */
const START_BYTES = 15

/**
 * Draws ids for new tasks, each with its first attempt in the journal already, so that sending it waits for no disk. Ids that
 * nobody drew before the end stay unused. Those drawn at once differ in their last byte alone: one row records them, and they lie
 * together in the indexes of the cars' journals, where wholly random ones would touch a page of their own each. The drawing
 * throws `ERR_DATA_FOLDER` when the journal can't be written.
 */
export function createTaskIds(journal: Pick<ClientJournal, 'reserve'>, randomBytes: (length: number) => Uint8Array): () => TaskId {
  let start = ''
  let drawn = RESERVED_AT_ONCE
  return () => {
    if (drawn === RESERVED_AT_ONCE) {
      const bytes = randomBytes(START_BYTES)
      journal.reserve(bytes, RESERVED_AT_ONCE)
      start = toHex(bytes)
      drawn = 0
    }
    return `${start}${(drawn++).toString(16).padStart(2, '0')}` as TaskId
  }
}
