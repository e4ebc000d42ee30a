import type { SignalPath, SignalValue } from '../protocol/vehicle/signals.ts'

/** New words of some signals at one moment; null: the source says that it has no value. */
export type SignalChanges = Partial<Readonly<Record<SignalPath, SignalValue | null>>>

/** What signals say over time, gathered in any order. */
export interface TraceTimeline {
  readonly set: (atS: number, changes: SignalChanges) => void
  /** The last word of a signal until then; undefined when it has none yet. */
  readonly valueAt: (path: SignalPath, atS: number) => SignalValue | null | undefined
  /** Whether a signal changes in that time, its begin and end included. */
  readonly changesWithin: (path: SignalPath, fromS: number, untilS: number) => boolean
  /** All changes in the order of time, those of one moment together, from `fromS` on; what held before comes first. */
  readonly moments: (fromS: number, untilS: number) => readonly { readonly atS: number; readonly changes: SignalChanges }[]
}

export function createTimeline(): TraceTimeline {
  const entries: { readonly atS: number; readonly path: SignalPath; readonly value: SignalValue | null }[] = []
  let isSorted = true
  const sorted = () => {
    if (!isSorted) entries.sort((left, right) => left.atS - right.atS)
    isSorted = true
    return entries
  }
  return {
    set: (atS, changes) => {
      for (const [path, value] of Object.entries(changes) as [SignalPath, SignalValue | null][]) entries.push({ atS: Math.round(atS), path, value })
      isSorted = false
    },
    valueAt: (path, atS) => sorted().findLast(entry => entry.path === path && entry.atS <= atS)?.value,
    changesWithin: (path, fromS, untilS) => sorted().some(entry => entry.path === path && entry.atS >= fromS && entry.atS <= untilS),
    moments: (fromS, untilS) => {
      const moments = new Map<number, Record<string, SignalValue | null>>()
      for (const { atS, path, value } of sorted()) {
        if (atS >= untilS) break
        const at = Math.max(atS, fromS)
        const changes = moments.get(at) ?? {}
        changes[path] = value
        moments.set(at, changes)
      }
      return [...moments].map(([atS, changes]) => ({ atS, changes }))
    }
  }
}
