import type { EnergyProvenance } from '../task-energy.ts'

/** Joules since the meter was opened. */
export interface EnergyMeter {
  readonly name: 'rapl' | 'ina3221' | 'vss' | 'cpu-time' | 'none'
  readonly provenance: EnergyProvenance
  /** Millijoules since it was opened, whole, never falling; null when it can't be read any more. */
  readonly readMj: () => number | null
  readonly stop: () => void
}
