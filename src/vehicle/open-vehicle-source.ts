import { readFile } from 'node:fs/promises'
import { MotorpoolError } from '../protocol/errors.ts'
import type { ManualSource } from './manual/open-manual.ts'
import type { TraceSource } from './trace/open-trace.ts'
import { parseVehicleAddress, type VehicleConfig } from './vehicle-address.ts'
import { SYSTEM_SURROUNDINGS, type VehicleSource } from './vehicle-source.ts'

/**
 * Opens the source that a configuration or an address such as `kuksa://127.0.0.1` names. A vehicle that can't be heard yet is
 * no error: the source is `lost` until it can. Throws `ERR_INVALID_OPTION` and, for traces, `ERR_BAD_TRACE`.
 */
export async function openVehicleSource(config: VehicleConfig | string, surroundings = SYSTEM_SURROUNDINGS): Promise<VehicleSource> {
  const chosen = typeof config === 'string' ? parseVehicleAddress(config) : config
  switch (chosen.source) {
    case 'kuksa': {
      const { isTls = false, caFile, serverName, ...options } = chosen
      const ca = await readCertificate(caFile)
      // gRPC and MQTT take some time to load: only who needs one loads it.
      const { openKuksa } = await import('./kuksa/open-kuksa.ts')
      return openKuksa({ ...options, ...(isTls ? { tls: { ca, serverName } } : {}) }, surroundings)
    }
    case 'tesla': {
      const { caFile, ...options } = chosen
      const ca = await readCertificate(caFile)
      const { openTesla } = await import('./tesla/open-tesla.ts')
      return openTesla({ ...options, ca }, surroundings)
    }
    case 'trace': {
      const { openTrace } = await import('./trace/open-trace.ts')
      return openTrace(chosen, surroundings)
    }
    case 'manual': {
      const { openManual } = await import('./manual/open-manual.ts')
      return openManual(chosen, surroundings)
    }
  }
}

/** Whether a person stands in for the vehicle, and so can drive and park. */
export function isManual(source: VehicleSource): source is ManualSource {
  return source.name === 'manual' && 'drive' in source
}

/** Whether a recorded vehicle is played, which has a time of day of its own. */
export function isTrace(source: VehicleSource): source is TraceSource {
  return source.name === 'trace' && 'skipTo' in source
}

async function readCertificate(path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined
  const pem = await readFile(path).catch(error => {
    throw new MotorpoolError(
      'ERR_INVALID_OPTION',
      `the caFile cannot be read (${error.code}); name a PEM file of the authority that signed the broker's certificate`
    )
  })
  if (!pem.includes('-----BEGIN CERTIFICATE-----'))
    throw new MotorpoolError('ERR_INVALID_OPTION', 'the caFile holds no certificate; name a PEM file with -----BEGIN CERTIFICATE-----')
  return pem
}
