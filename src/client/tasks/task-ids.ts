import type { ClientJournal } from '../../ledger/store/client-journal.ts'
import { type TaskId, toHex } from '../../protocol/ids.ts'

/** First attempts that one write records: its cost is then that of one task in so many. */
const RESERVED_AT_ONCE = 64

/** Random bytes that ids drawn at once begin with; the other half is each one's own. */
const SHARED_BYTES = 8

/**
 * Draws ids for new tasks, each with its first attempt in the journal already, so that sending it waits for no disk. Ids that
 * nobody drew before the end stay unused. Those drawn at once begin alike and so lie together in the indexes of the journals,
 * the cars' too: wholly random ones would touch a page of their own each. The drawing throws `ERR_DATA_FOLDER` when the
 * journal can't be written.
 */
export function createTaskIds(journal: Pick<ClientJournal, 'reserve'>, randomBytes: (length: number) => Uint8Array): () => TaskId {
  let stock: Uint8Array[] = []
  return () => {
    if (stock.length === 0) {
      const shared = randomBytes(SHARED_BYTES)
      const fresh = Array.from({ length: RESERVED_AT_ONCE }, () => new Uint8Array(Buffer.concat([shared, randomBytes(16 - SHARED_BYTES)])))
      journal.reserve(fresh)
      stock = fresh
    }
    return toHex(stock.pop() ?? new Uint8Array(0)) as TaskId
  }
}
