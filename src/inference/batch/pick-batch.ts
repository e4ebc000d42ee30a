import type { BatchSizes } from './batch-sizes.ts'
import type { RowsOfTask } from './rows.ts'

/** A task that waits for its turn, as far as batching goes. */
export interface Waiting {
  /** Undefined when it must run alone. */
  readonly rows: RowsOfTask | undefined
  readonly byteLength: number
  /** When its time is over, on the clock of `nowMs`. */
  readonly deadlineMs: number
}

/** A batch is expected to be done in this share of what each of its tasks has left: company must not cost a task its deadline. */
const SAFE_SHARE = 0.5

/**
 * The first task that waits and those that may run with it, in their order; only what waits already. `byteLimit` bounds the
 * tensors of one run.
 */
export function pickBatch<T extends Waiting>(waiting: readonly T[], sizesOf: (key: string) => BatchSizes, byteLimit: number, nowMs: number): readonly T[] {
  const [first] = waiting
  if (first === undefined) return []
  if (first.rows === undefined || waiting.length === 1) return [first]
  const { key } = first.rows
  const sizes = sizesOf(key)
  const alike = waiting.filter(task => task.rows?.key === key)
  const size = sizes.next(alike.reduce((sum, task) => sum + (task.rows?.rows ?? 0), 0))
  const hasTime = (task: T): boolean => sizes.expectUs(size) / 1000 <= (task.deadlineMs - nowMs) * SAFE_SHARE
  if (first.rows.rows >= size || !hasTime(first)) return [first]
  const batch: T[] = [first]
  let [rows, byteLength] = [first.rows.rows, first.byteLength]
  for (const task of alike.slice(1)) {
    const more = task.rows?.rows ?? 0
    if (rows + more > size || byteLength + task.byteLength > byteLimit || !hasTime(task)) continue
    batch.push(task)
    rows += more
    byteLength += task.byteLength
  }
  return batch
}
