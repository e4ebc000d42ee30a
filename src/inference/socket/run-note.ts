import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/*
 * A worker notes which tasks begin where its peer looks only when something went wrong: in a file that both hold open. A message
 * would wake the peer for each run; what is in a file outlives a killed worker all the same.
 */

const NUMBER_BYTES = 8
/** Tasks that can run together, and more. */
const MOST_IDS = 64

/** The peer's side of the note. */
export interface RunNote {
  /** For the worker. */
  readonly descriptor: number
  /** The tasks that began last, as the worker tells: none before the first, and whatever a worker that a model got the better of claims. */
  read: () => readonly number[]
  close: () => void
}

/** Opens an empty note without a name, in a folder that nobody else can reach. Throws the system's error when it cannot. */
export function openRunNote(folder: string): RunNote {
  const path = join(folder, 'note')
  const descriptor = openSync(path, 'wx+', 0o600)
  unlinkSync(path)
  let last: readonly number[] | undefined
  const read = (): readonly number[] => {
    const bytes = Buffer.alloc((1 + MOST_IDS) * NUMBER_BYTES)
    readSync(descriptor, bytes, 0, bytes.length, 0)
    const count = bytes.readDoubleLE()
    return count >= 0 && count <= MOST_IDS ? Array.from({ length: count }, (_, at) => bytes.readDoubleLE((1 + at) * NUMBER_BYTES)) : []
  }
  return {
    descriptor,
    read: () => last ?? read(),
    close: () => {
      last ??= read()
      closeSync(descriptor)
    }
  }
}

/** The worker's side: notes the tasks that begin. Some 1.5 µs. */
export function createRunNoter(descriptor: number): (ids: readonly number[]) => void {
  const bytes = Buffer.alloc((1 + MOST_IDS) * NUMBER_BYTES)
  return ids => {
    const count = Math.min(ids.length, MOST_IDS)
    bytes.writeDoubleLE(count)
    for (let at = 0; at < count; at++) bytes.writeDoubleLE(ids[at] as number, (1 + at) * NUMBER_BYTES)
    writeSync(descriptor, bytes, 0, (1 + count) * NUMBER_BYTES, 0)
  }
}
