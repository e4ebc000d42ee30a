import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/**
 * Pages of the young generation, both halves. V8 would take up to 128 MiB, and give them back only to a process at rest; with
 * more than this a peer is no faster.
 */
export const MOST_YOUNG_BYTES = 32 * 1024 * 1024

let told = false

/**
 * V8 marks a heap of 20 MB whole again several times a second while buffers pass, because its limit lies too near: a third of the
 * CPU time of a busy peer. From the first call on this process's heap may grow to five times what the last marking left, and its
 * young generation to `MOST_YOUNG_BYTES`.
 */
export function leaveSmallHeapAlone(): void {
  if (told) return
  told = true
  setFlagsFromString('--heap-growing-percent=400')
  new PerformanceObserver(boundYoungGeneration).observe({ entryTypes: ['gc'] })
  boundYoungGeneration()
}

/** Its limit is read when a process starts; by how much it grows, at each collection. */
function boundYoungGeneration(): void {
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
  const mayDouble = 2 * (young?.space_size ?? 0) <= MOST_YOUNG_BYTES
  setFlagsFromString(`--semi-space-growth-factor=${mayDouble ? 2 : 1}`)
}
