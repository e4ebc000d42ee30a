import { MotorpoolError } from '../../protocol/errors.ts'
import { fileIntensity, httpIntensity, type IntensitySource } from './intensity-source.ts'

/** What `openIntensity` takes. */
export const INTENSITY_ADDRESSES = ['gb', 'electricity-maps:ZONE', 'FILE.json'] as const
/** The environment's variable with Electricity Maps' key; an option would stand in the list of processes. */
export const INTENSITY_TOKEN = 'MOTORPOOL_INTENSITY_TOKEN'

const GB_URL = 'https://api.carbonintensity.org.uk/'
const ELECTRICITY_MAPS_URL = 'https://api.electricitymaps.com/'
const ELECTRICITY_MAPS = 'electricity-maps'

/**
 * A carbon intensity source by its address: `gb`, `electricity-maps:ZONE` with a `token`, or a file in the format `plain`.
 * Throws `ERR_INVALID_OPTION` when zone or token is missing. The zone is told to the service alone: it names the place.
 */
export function openIntensity(address: string, token: string | undefined): IntensitySource {
  if (address === 'gb') return httpIntensity({ format: 'gb', baseUrl: GB_URL })
  const [service, zone = ''] = address.split(':', 2)
  if (service !== ELECTRICITY_MAPS) return fileIntensity(address)
  if (!/^[A-Za-z0-9-]{2,20}$/.test(zone))
    throw new MotorpoolError('ERR_INVALID_OPTION', `${ELECTRICITY_MAPS} needs a zone; give one such as ${ELECTRICITY_MAPS}:DE`)
  if (token === undefined || token === '') throw new MotorpoolError('ERR_INVALID_OPTION', `${ELECTRICITY_MAPS} needs a key; put yours into ${INTENSITY_TOKEN}`)
  return httpIntensity({ format: ELECTRICITY_MAPS, baseUrl: ELECTRICITY_MAPS_URL, zone, token })
}
