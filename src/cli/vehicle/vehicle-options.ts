import { unwatchFile, watchFile } from 'node:fs'
import { join } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import type { CarOptions } from '../../car/car.ts'
import type { OwnerPolicy } from '../../energy/owner-policy.ts'
import { isMotorpoolError } from '../../protocol/errors.ts'
import { isTrace, openVehicleSource } from '../../vehicle/open-vehicle-source.ts'
import { VEHICLE_ADDRESSES } from '../../vehicle/vehicle-address.ts'
import { readPolicyFile } from '../policy/policy-file.ts'

/** What `motorpool up` takes about the vehicle and its energy. */
export interface VehicleOptions {
  readonly vehicle?: string
  readonly wattsPerCore?: number
  readonly meters: boolean
}

/** Consent that is withdrawn ends work about so soon. */
const POLICY_CHECK_MS = 1000

export function withVehicleOptions(command: Command): Command {
  return command
    .option(
      '--vehicle <address>',
      `where the vehicle’s state comes from: then the car comes and goes by itself, as the owner’s policy says (${VEHICLE_ADDRESSES.join(', ')})`
    )
    .option('--watts-per-core <W>', 'estimate energy by this draw of a busy core, where no meter can be read', watts)
    .option('--no-meters', 'leave this machine’s power meters alone: it is not only this car’s')
}

/** The parts of a car's options that its vehicle, policy and energy are. Errors as `openVehicleSource`, and `ERR_BAD_POLICY`. */
export async function vehicleOptions(
  options: VehicleOptions,
  policyFile: string,
  dataFolder: string
): Promise<Pick<CarOptions, 'vehicle' | 'vehicleClock' | 'ownerPolicy' | 'energy'>> {
  const energy = {
    ...(options.wattsPerCore === undefined ? {} : { wattsPerCore: options.wattsPerCore }),
    ...(options.meters ? {} : { sysfsRoot: join(dataFolder, 'no-meters') })
  }
  if (options.vehicle === undefined) return { energy }
  const ownerPolicy = readPolicyFile(policyFile)
  const vehicle = await openVehicleSource(options.vehicle)
  return { energy, ownerPolicy, vehicle, ...(isTrace(vehicle) ? { vehicleClock: vehicle.clock } : {}) }
}

/** Hears of a policy file's changes, in words when it can't be used any more; returns what ends it. */
export function watchPolicy(policyFile: string, changed: (policy: OwnerPolicy | string) => void): () => void {
  const read = (): void => {
    try {
      changed(readPolicyFile(policyFile))
    } catch (error) {
      changed(isMotorpoolError(error) ? error.message : String(error))
    }
  }
  watchFile(policyFile, { interval: POLICY_CHECK_MS, persistent: false }, read)
  return () => unwatchFile(policyFile, read)
}

function watts(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0 || value > 1000) throw new InvalidArgumentError('give watts above 0 and up to 1000')
  return value
}
