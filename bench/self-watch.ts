import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const RESOLUTION_MS = 10

/** Watches how much later than due the event loop of this process turns. */
export function watchLoop(): { readonly takeP99Ms: () => number } {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  return {
    /** The 99th percentile since the last time. */
    takeP99Ms: () => {
      // What it records includes the interval at which it looks.
      const p99Ms = Math.max(0, delays.percentile(99) / 1e6 - RESOLUTION_MS)
      delays.reset()
      return p99Ms
    }
  }
}

/**
 * Tasks before memory is looked at for growth: until then V8 compiles what runs often, and pools, caches and its young generation
 * take their size.
 */
export const WARM_TASKS = 30_000
/** What the rows of growth hold. */
export const GROWTH_NOTE = `resident memory after full collections that give free pages back; what the first ${WARM_TASKS} tasks of a car took is in the row from before them`

/** Gives free pages back, as V8 does at rest: a young generation of 32 MiB comes and goes with the load. */
const COLLECTION = { type: 'major', execution: 'sync', flavor: 'last-resort' } as const

let collectGarbage: ((options: typeof COLLECTION) => void) | undefined

/** Resident memory of this process after a full collection: without one it tells mostly of garbage, and of pages kept for more. */
export function settledRssBytes(): number {
  collect()
  return process.memoryUsage.rss()
}

/** What JavaScript holds after a full collection, buffers included: of small differences the resident pages tell nothing. */
export function settledLiveBytes(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function collect(): void {
  if (collectGarbage === undefined) {
    setFlagsFromString('--expose-gc')
    collectGarbage = runInNewContext('gc') as (options: typeof COLLECTION) => void
  }
  collectGarbage(COLLECTION)
}
