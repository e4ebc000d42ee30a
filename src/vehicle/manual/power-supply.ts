import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What this machine's own power supply says; undefined where it has no such part, null where it can't be read. */
export interface PowerSupply {
  readonly isPluggedIn?: boolean | null
  readonly isCharging?: boolean | null
  /** Of the emptiest battery, percent. */
  readonly chargePercent?: number | null
}

/** One folder of /sys/class/power_supply: its files' texts, null where one can't be read. */
interface Supply {
  readonly type: string | null
  readonly scope: string | null
  readonly online: string | null
  readonly status: string | null
  readonly capacity: string | null
}

/** What the power supplies together say (Linux, Documentation/ABI/testing/sysfs-class-power). */
export function combineSupplies(supplies: readonly Supply[]): PowerSupply {
  // A mouse's battery says nothing of this machine.
  const own = supplies.filter(({ scope }) => scope !== 'Device')
  const adapters = own.filter(({ type }) => type === 'Mains' || type?.startsWith('USB') === true)
  const batteries = own.filter(({ type }) => type === 'Battery')
  const statuses = batteries.map(({ status }) => status)
  const charges = batteries.map(({ capacity }) => (capacity !== null && /^\d{1,3}$/.test(capacity) && Number(capacity) <= 100 ? Number(capacity) : null))
  const isOnline = adapters.some(({ online }) => online !== null && /^[12]$/.test(online))
  const isOffline = adapters.every(({ online }) => online === '0')
  return {
    ...(adapters.length === 0 ? {} : { isPluggedIn: isOnline ? true : isOffline ? false : null }),
    ...(batteries.length === 0
      ? {}
      : {
          isCharging: statuses.includes('Charging') ? true : statuses.every(status => status !== null && status !== 'Unknown') ? false : null,
          chargePercent: charges.includes(null) ? null : Math.min(...charges.filter(charge => charge !== null))
        })
  }
}

/** Reads all power supplies below `root`; null when there is no such folder, as in many containers and on other systems. */
export async function readPowerSupply(root: string): Promise<PowerSupply | null> {
  const names = await readdir(root).catch(() => null)
  if (names === null) return null
  const read = (name: string, file: string) =>
    readFile(join(root, name, file), 'utf8').then(
      text => text.trim(),
      () => null
    )
  const supplies = names.sort().map(async (name): Promise<Supply> => {
    const [type, scope, online, status, capacity] = await Promise.all(['type', 'scope', 'online', 'status', 'capacity'].map(file => read(name, file)))
    return { type: type ?? null, scope: scope ?? null, online: online ?? null, status: status ?? null, capacity: capacity ?? null }
  })
  return combineSupplies(await Promise.all(supplies))
}
