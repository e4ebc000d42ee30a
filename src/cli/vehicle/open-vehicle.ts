import type { CarOptions } from '../../car/car.ts'
import { isTrace, openVehicleSource } from '../../vehicle/open-vehicle-source.ts'

/** Opens the vehicle that an address such as `kuksa://127.0.0.1` names; a trace brings its own time of day, at its own speed. */
export async function openVehicle(address: string): Promise<Pick<CarOptions, 'vehicle' | 'vehicleClock'>> {
  const vehicle = await openVehicleSource(address)
  return isTrace(vehicle) ? { vehicle, vehicleClock: vehicle.clock } : { vehicle }
}
