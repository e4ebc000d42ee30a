import { closest } from 'fastest-levenshtein'
import { MotorpoolError } from '../protocol/errors.ts'
import type { KuksaOptions } from './kuksa/open-kuksa.ts'
import type { ManualOptions } from './manual/open-manual.ts'
import type { TeslaOptions } from './tesla/open-tesla.ts'
import { VIN_FORM } from './tesla/tesla-session.ts'

/** Which source, with its options. Certificates are named by their files (PEM). */
export type VehicleConfig =
  | ({ readonly source: 'kuksa'; readonly isTls?: boolean; readonly caFile?: string; readonly serverName?: string } & Omit<KuksaOptions, 'tls'>)
  | ({ readonly source: 'tesla'; readonly caFile?: string } & Omit<TeslaOptions, 'ca'>)
  | {
      readonly source: 'trace'
      readonly path: string
      readonly speed?: number
      readonly fromS?: number
      readonly untilS?: number
      readonly startUnixMs?: number
      readonly epochUnixMs?: number
    }
  | ({ readonly source: 'manual' } & ManualOptions)

/** What `--vehicle` takes. */
export const VEHICLE_ADDRESSES = [
  'kuksa://HOST[:55555]',
  'kuksas://HOST[:55555][?tokenFile=FILE&caFile=FILE&serverName=NAME]',
  'mqtt://HOST[:1883]/BASE[/VIN]',
  'mqtts://HOST[:8883]/BASE[/VIN][?caFile=FILE]',
  'trace:FILE[?speed=600&fromS=0&untilS=86400&start=TIME&epoch=TIME]',
  'manual:[?parked=true&plugged=true&powerSupply=true]'
] as const

/** The configuration that an address stands for. Throws `ERR_INVALID_OPTION` that says what is allowed, and never repeats the address: it may hold a VIN or password. */
export function parseVehicleAddress(address: string): VehicleConfig {
  const [, scheme = '', rest = ''] = /^([a-z]+):(.*)$/is.exec(address.trim()) ?? []
  switch (scheme.toLowerCase()) {
    case 'kuksa':
    case 'kuksas':
      return kuksaConfig(scheme.toLowerCase() === 'kuksas', rest)
    case 'mqtt':
    case 'mqtts':
      return teslaConfig(scheme.toLowerCase(), rest)
    case 'trace':
      return traceConfig(rest)
    case 'manual': {
      const [path, options] = splitOptions(rest, ['parked', 'plugged', 'powerSupply'])
      if (path !== '') throw refuse('manual: takes options only')
      return {
        source: 'manual',
        ...(options.parked === undefined ? {} : { isParked: toBoolean('parked', options.parked) }),
        ...(options.plugged === undefined ? {} : { isPluggedIn: toBoolean('plugged', options.plugged) }),
        ...(options.powerSupply === undefined ? {} : { powerSupply: toPowerSupply(options.powerSupply) })
      }
    }
    default:
      throw refuse('a vehicle’s address begins with none of the known sources')
  }
}

function refuse(problem: string): MotorpoolError {
  return new MotorpoolError('ERR_INVALID_OPTION', `${problem}; give one of ${VEHICLE_ADDRESSES.join(', ')}`)
}

function kuksaConfig(isTls: boolean, rest: string): VehicleConfig {
  const [place, options] = splitOptions(rest, isTls ? ['tokenFile', 'caFile', 'serverName'] : ['tokenFile'])
  const url = toUrl(place)
  if (url.username !== '' || url.password !== '')
    throw refuse('a databroker takes no user or password but a token; put it into a file and give kuksas://HOST?tokenFile=FILE')
  if (url.pathname !== '' && url.pathname !== '/') throw refuse('a databroker’s address ends after its port')
  return { source: 'kuksa', isTls, address: `${url.hostname}:${url.port || '55555'}`, ...options }
}

function teslaConfig(scheme: string, rest: string): VehicleConfig {
  const [place, options] = splitOptions(rest, scheme === 'mqtts' ? ['caFile'] : [])
  const url = toUrl(place)
  const levels = decode(url.pathname)
    .split('/')
    .filter(level => level !== '')
  const vin = VIN_FORM.test(levels.at(-1) ?? '') ? levels.pop() : undefined
  if (levels.length === 0) throw refuse('the MQTT address lacks the topic base of the telemetry')
  return {
    source: 'tesla',
    url: `${scheme}://${url.host}`,
    base: levels.join('/'),
    ...(vin === undefined ? {} : { vin }),
    ...(url.username === '' ? {} : { username: decode(url.username) }),
    ...(url.password === '' ? {} : { password: decode(url.password) }),
    ...options
  }
}

function traceConfig(rest: string): VehicleConfig {
  const [path, options] = splitOptions(rest, ['speed', 'fromS', 'untilS', 'start', 'epoch'])
  if (path === '') throw refuse('trace: lacks the file')
  return {
    source: 'trace',
    path,
    ...(options.speed === undefined ? {} : { speed: toNumber('speed', options.speed) }),
    ...(options.fromS === undefined ? {} : { fromS: toNumber('fromS', options.fromS) }),
    ...(options.untilS === undefined ? {} : { untilS: toNumber('untilS', options.untilS) }),
    ...(options.start === undefined ? {} : { startUnixMs: toUnixMs('start', options.start) }),
    ...(options.epoch === undefined ? {} : { epochUnixMs: toUnixMs('epoch', options.epoch) })
  }
}

function toNumber(name: string, text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw refuse(`${name} is no number`)
  return Number(text)
}

/** A time in UTC (ISO 8601): a zone's + is a space to URLs. */
function toUnixMs(name: string, text: string): number {
  const unixMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(unixMs)) throw refuse(`${name} is no time such as 2026-01-31T08:00:00Z`)
  return unixMs
}

/** What stands before the last `?`, and the options after it. */
function splitOptions<Name extends string>(text: string, allowed: readonly Name[]): [string, Partial<Record<Name, string>>] {
  const at = text.lastIndexOf('?')
  if (at < 0) return [text, {}]
  const found: Partial<Record<Name, string>> = {}
  for (const [key, value] of new URLSearchParams(text.slice(at + 1))) {
    const name = allowed.find(each => each === key)
    if (name === undefined)
      throw refuse(
        `the option ${JSON.stringify(key.slice(0, 40))} is unknown here${allowed.length === 0 ? '' : `, did you mean ${closest(key, [...allowed])}`}`
      )
    if (found[name] !== undefined) throw refuse(`the option ${name} is given twice`)
    if (value === '') throw refuse(`the option ${name} is empty`)
    found[name] = value
  }
  return [text.slice(0, at), found]
}

/** A URL whose scheme no standard knows keeps host and port as they are. */
function toUrl(place: string): URL {
  const text = `vehicle:${place}`
  if (!place.startsWith('//') || !URL.canParse(text) || new URL(text).hostname === '') throw refuse('the address lacks a host')
  return new URL(text)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw refuse('the address has a broken %')
  }
}

function toBoolean(name: string, text: string): boolean {
  if (text !== 'true' && text !== 'false') throw refuse(`${name} is neither true nor false`)
  return text === 'true'
}

function toPowerSupply(text: string): boolean | string {
  return text === 'true' || text === 'false' ? text === 'true' : text
}
