import type { EnergyProvenance } from '../task-energy.ts'

/** Energy drawn since the meter was opened. */
export interface EnergyMeter {
  readonly name: 'rapl' | 'ina3221' | 'vehicle' | 'cpu-time' | 'none'
  readonly provenance: EnergyProvenance
  /**
   * Millijoules since it was opened, whole, never falling. Null when it can't be read now, or couldn't at some time since
   * the last call: two totals that aren't null and follow each other differ by what was really drawn.
   */
  readonly readMj: () => number | null
  /** Ends its timer; afterwards it isn't read. */
  readonly stop: () => void
}
