import { readFile } from 'node:fs/promises'
import type { CarOptions } from '../../car/car.ts'
import { openVehicleSource } from '../../vehicle/open-vehicle-source.ts'
import { readTrace } from '../../vehicle/trace/open-trace.ts'
import { parseVehicleAddress } from '../../vehicle/vehicle-address.ts'

/** What second 0 of a trace stands for: the midnight before a Monday, UTC. */
const TRACE_EPOCH_MS = Date.UTC(2024, 0, 1)

/** Opens the vehicle that an address such as `kuksa://127.0.0.1` names; a trace brings its own time of day, at its own speed. */
export async function openVehicle(address: string): Promise<Pick<CarOptions, 'vehicle' | 'vehicleClock'>> {
  const config = parseVehicleAddress(address)
  if (config.source !== 'trace') return { vehicle: await openVehicleSource(config) }
  const vehicle = await openVehicleSource(config)
  const { speed: rate = 1, path } = config
  const fromS = config.fromS ?? readTrace(await readFile(path, 'utf8'), path.endsWith('.csv') ? 'csv' : undefined)[0]?.t ?? 0
  const beganMs = performance.now()
  const playedMs = (): number => (performance.now() - beganMs) * rate
  return { vehicle, vehicleClock: { monotonicMs: playedMs, unixMs: () => Math.floor(TRACE_EPOCH_MS + fromS * 1000 + playedMs()), rate } }
}
