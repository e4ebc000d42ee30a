import type { EnergyMeter } from './meter.ts'

export interface MeterOptions {
  /** @default /sys */
  readonly sysfsRoot?: string
  /** @default /proc */
  readonly procRoot?: string
  /** The computer's power as the vehicle tells it (VSS Resources.Power), W; null while it isn't told or is stale. */
  readonly vehicleWatts?: () => number | null
  /** Whose CPU time an estimate counts: the worker processes. */
  readonly processIds?: () => readonly number[]
  /** What a busy core draws, W, for an estimate; without it there is none. */
  readonly wattsPerCore?: number
  /** A monotonic clock. @default performance.now */
  readonly nowMs?: () => number
}

/** The best meter that this machine lets us read: RAPL, INA3221, the vehicle's own figure, an estimate, or one that knows nothing. */
export function openMeter(_options: MeterOptions = {}): EnergyMeter {
  return { name: 'none', provenance: 'unknown', readMj: () => null, stop: () => undefined }
}
