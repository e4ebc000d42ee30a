import { z } from 'zod'
import type { OwnerPolicy } from '../../energy/owner-policy.ts'
import { addUsage, noUsage, type OwnerUsage } from '../../energy/owner-usage.ts'

/** The form in which usage is kept. */
export const usageSchema: z.ZodType<OwnerUsage> = z.strictObject({
  day: z.string().regex(/^\d{4}-\d\d-\d\d$/),
  energyMj: z.int().nonnegative(),
  networkBytes: z.int().nonnegative(),
  updatedUnixMs: z.number().nonnegative()
})

/** Where usage is kept across restarts. */
export interface UsageStore {
  readonly read: () => OwnerUsage | undefined
  readonly write: (usage: OwnerUsage) => void
}

/** What work has used of the daily caps. */
export interface UsageKeeper {
  readonly usage: () => OwnerUsage
  readonly add: (more: { readonly energyMj: number; readonly networkBytes: number }) => void
  /** Writes what hasn't been written. */
  readonly save: () => void
}

/** A crash forgets at most what was used in so long, ms real time. */
const SAVE_EVERY_MS = 10_000

export function createUsageKeeper(init: {
  readonly store: UsageStore
  /** The vehicle's clock, which the days are counted by. */
  readonly unixMs: () => number
  readonly nowMs: () => number
  readonly timeZone: () => OwnerPolicy['timeZone']
}): UsageKeeper {
  const zoned = () => ({ timeZone: init.timeZone() })
  let usage = init.store.read() ?? noUsage(init.unixMs(), zoned())
  let saved = usage
  let savedMs = init.nowMs()
  const save = (): void => {
    if (usage === saved) return
    init.store.write(usage)
    saved = usage
    savedMs = init.nowMs()
  }
  return {
    usage: () => usage,
    add: more => {
      if (more.energyMj === 0 && more.networkBytes === 0) return
      usage = addUsage(usage, more, init.unixMs(), zoned())
      if (init.nowMs() - savedMs >= SAVE_EVERY_MS) save()
    },
    save
  }
}
