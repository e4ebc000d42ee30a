import { createSignalBoard } from '../../../src/vehicle/signal-board.ts'
import type { VehicleSource, VehicleSourceState } from '../../../src/vehicle/vehicle-source.ts'
import { PARKED, PATHS, type Told } from '../../energy/parked-signals.ts'

/** A vehicle whose signals a test sets; what isn't told otherwise is parked, plugged in and fit. */
export interface ScriptedVehicle {
  readonly source: VehicleSource
  readonly tell: (changed: Told) => void
  readonly become: (state: VehicleSourceState, why?: string) => void
}

export function createScriptedVehicle(monotonicMs: () => number, unixMs: () => number): ScriptedVehicle {
  const board = createSignalBoard({ monotonicMs, unixMs }, { state: 'live' })
  let now: Told = {}
  const tell = (changed: Told): void => {
    now = { ...now, ...changed }
    board.tell(PATHS.map(path => ({ path, value: path in now ? now[path] : PARKED[path] })))
  }
  tell({
    // What was told in a test of long ago would be a plan that has passed.
    'Vehicle.Powertrain.TractionBattery.BatteryConditioning.TargetTime': null
  })
  return { source: { name: 'trace', ...board.face, stop: async () => board.close() }, tell, become: board.become }
}

export const DOOR_OPEN: Told = { 'Vehicle.Cabin.Door.Row1.DriverSide.IsOpen': true }
export const DOOR_SHUT: Told = { 'Vehicle.Cabin.Door.Row1.DriverSide.IsOpen': false }
