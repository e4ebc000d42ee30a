import { type EnergyProvenance, shareInterval, type TaskEnergy } from './task-energy.ts'

/** A meter's word at one moment. */
export interface EnergyReading {
  readonly atMs: number
  /** The meter's running total; null when it can't be read. */
  readonly meterMj: number | null
  readonly by: EnergyProvenance
  readonly idleWatts: number
  /** CPU time of each running task so far, ms; a task that isn't there counts like every other. */
  readonly cpuMs?: ReadonlyMap<string, number>
}

/** The tasks that run now with their energy so far. Sums of attributed energy and `restMj` are what the meter told. */
export interface EnergyBook {
  readonly last: EnergyReading
  readonly running: ReadonlyMap<string, TaskEnergy>
  /** Told by the meter and charged to no task. */
  readonly restMj: number
}

export function openEnergyBook(reading: EnergyReading): EnergyBook {
  return { last: reading, running: new Map(), restMj: 0 }
}

/**
 * Charges what was drawn since the last reading to the tasks that ran, then begins or ends a task. Takes a reading at
 * each begin and end, which may be the last one again. A task whose time holds an unreadable reading is `unknown`, and its
 * figures are 0.
 */
export function stepEnergyBook(
  book: EnergyBook,
  reading: EnergyReading,
  change: { readonly begin?: string; readonly end?: string } = {}
): readonly [EnergyBook, TaskEnergy | null] {
  const running = new Map(book.running)
  if (reading === book.last) return changed(running, change, reading, book.restMj)
  let { restMj } = book
  const lengthMs = reading.atMs - book.last.atMs
  const drawnMj = reading.meterMj === null || book.last.meterMj === null ? null : reading.meterMj - book.last.meterMj
  if (drawnMj === null || drawnMj < 0 || lengthMs < 0 || reading.by === 'unknown')
    for (const [id, { attributedMj }] of running) {
      restMj += attributedMj
      running.set(id, UNKNOWN)
    }
  else {
    const tasks = [...running.keys()].map(id => ({ id, cpuMs: cpuBetween(book.last, reading, id) }))
    const shared = shareInterval({ meterMj: drawnMj, lengthMs, idleWatts: reading.idleWatts, tasks })
    restMj += shared.restMj
    for (const { id, marginalMj, attributedMj } of shared.tasks) {
      const before = running.get(id) ?? UNKNOWN
      if (before.by === 'unknown') restMj += attributedMj
      else
        running.set(id, {
          marginalMj: before.marginalMj + marginalMj,
          attributedMj: before.attributedMj + attributedMj,
          by: before.by === 'estimated' ? 'estimated' : reading.by
        })
    }
  }
  return changed(running, change, reading, restMj)
}

function changed(
  running: Map<string, TaskEnergy>,
  { begin, end }: { readonly begin?: string; readonly end?: string },
  last: EnergyReading,
  restMj: number
): readonly [EnergyBook, TaskEnergy | null] {
  const ended = end === undefined ? null : (running.get(end) ?? null)
  if (end !== undefined) running.delete(end)
  if (begin !== undefined) running.set(begin, { marginalMj: 0, attributedMj: 0, by: last.meterMj === null ? 'unknown' : last.by })
  return [{ last, running, restMj }, ended]
}

const UNKNOWN: TaskEnergy = { marginalMj: 0, attributedMj: 0, by: 'unknown' }

function cpuBetween(before: EnergyReading, after: EnergyReading, id: string): number | null {
  const now = after.cpuMs?.get(id)
  return now === undefined ? null : now - (before.cpuMs?.get(id) ?? 0)
}
