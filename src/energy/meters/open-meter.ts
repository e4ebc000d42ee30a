import { openCpuTime } from './cpu-time.ts'
import { openIna3221 } from './ina3221.ts'
import type { EnergyMeter } from './meter.ts'
import { meterFromPower } from './power-sampler.ts'
import { openRapl } from './rapl.ts'

export interface MeterOptions {
  /** @default /sys */
  readonly sysfsRoot?: string
  /** @default /proc */
  readonly procRoot?: string
  /** The computer's power as the vehicle tells it (VSS `Resources.Power`), W; null while it isn't told or is stale. */
  readonly vehicleWatts?: () => number | null
  /** Whose CPU time an estimate counts: the worker processes. */
  readonly processIds?: () => readonly number[]
  /** What a busy core draws above idle, W, for an estimate; without it there is none. */
  readonly wattsPerCore?: number
  /** What the computer draws without work, W, for an estimate. @default 0 */
  readonly idleWatts?: number
  /** A monotonic clock. @default performance.now */
  readonly nowMs?: () => number
  /** How often a power is sampled. @default 250 */
  readonly sampleMs?: number
}

/** The best meter that this machine lets us read: RAPL, INA3221, the vehicle's own figure, an estimate, or one that knows nothing. Stop it. */
export function openMeter(options: MeterOptions = {}): EnergyMeter {
  const { sysfsRoot = '/sys', procRoot = '/proc', nowMs = () => performance.now(), sampleMs, vehicleWatts, processIds, wattsPerCore, idleWatts = 0 } = options
  const measured = openRapl(sysfsRoot, nowMs) ?? openIna3221(sysfsRoot, nowMs, sampleMs)
  if (measured !== null) return measured
  if (vehicleWatts !== undefined && vehicleWatts() !== null) return meterFromPower('vehicle', { readWatts: vehicleWatts, nowMs, sampleMs })
  if (processIds !== undefined && wattsPerCore !== undefined) return openCpuTime({ procRoot, processIds, wattsPerCore, idleWatts, nowMs })
  return { name: 'none', provenance: 'unknown', readMj: () => null, stop: () => undefined }
}
