import type { ClientJournal } from '../../ledger/store/client-journal.ts'
import { type TaskId, toHex } from '../../protocol/ids.ts'

/** First attempts that one write records: its cost is then that of one task in so many. */
const RESERVED_AT_ONCE = 64

/**
 * Draws ids for new tasks, each with its first attempt in the journal already, so that sending it waits for no disk. Ids that
 * nobody drew before the end stay unused. The drawing throws `ERR_DATA_FOLDER` when the journal can't be written.
 */
export function createTaskIds(journal: Pick<ClientJournal, 'reserve'>, randomBytes: (length: number) => Uint8Array): () => TaskId {
  let stock: Uint8Array[] = []
  return () => {
    if (stock.length === 0) {
      const fresh = Array.from({ length: RESERVED_AT_ONCE }, () => randomBytes(16))
      journal.reserve(fresh)
      stock = fresh
    }
    return toHex(stock.pop() ?? new Uint8Array(0)) as TaskId
  }
}
