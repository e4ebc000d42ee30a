import { readFile } from 'node:fs/promises'
import { anySignal, isMotorpoolError, MotorpoolError } from '../../protocol/errors.ts'
import { type GridIntensity, type IntensityFormat, parseIntensity } from '../carbon.ts'

/** Tells the grid's carbon intensity now; rejects with `ERR_CARBON_INTENSITY` when it can't. */
export type IntensitySource = (options?: { readonly signal?: AbortSignal }) => Promise<GridIntensity>

/** Slow answers count as none. */
const TIMEOUT_MS = 10_000
/** Answers are a few hundred bytes; a longer one is no answer. */
const MOST_BYTES = 65_536

/** Reads a JSON file anew at each call. @default format: plain */
export function fileIntensity(path: string, format: IntensityFormat = 'plain'): IntensitySource {
  return async ({ signal } = {}) =>
    parseIntensity(format, await attempt(path, async () => JSON.parse(await readFile(path, { encoding: 'utf8', signal })) as unknown))
}

export interface HttpIntensityOptions {
  readonly format: Exclude<IntensityFormat, 'plain'>
  /** Where the service is, without the path of the question. */
  readonly baseUrl: string
  /** Electricity Maps' zone, e.g. `DE`. */
  readonly zone?: string
  /** Electricity Maps' key. */
  readonly token?: string
  /** @default 10000 */
  readonly timeoutMs?: number
}

/** Asks a service that answers as GB's carbon intensity or Electricity Maps does. */
export function httpIntensity({ format, baseUrl, zone, token, timeoutMs = TIMEOUT_MS }: HttpIntensityOptions): IntensitySource {
  const path = format === 'gb' ? 'intensity' : `v3/carbon-intensity/latest?zone=${encodeURIComponent(zone ?? '')}`
  if (!URL.canParse(baseUrl)) throw new MotorpoolError('ERR_INVALID_OPTION', `${baseUrl} is no address; give one that begins with https://`)
  const url = new URL(path, baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`)
  const headers: Record<string, string> = { accept: 'application/json', ...(token === undefined ? {} : { 'auth-token': token }) }
  return async ({ signal } = {}) => {
    const limit = AbortSignal.timeout(timeoutMs)
    const value = await attempt(url.host, async () => {
      const response = await fetch(url, { headers, signal: anySignal(signal, limit), redirect: 'error' })
      if (!response.ok) {
        await response.body?.cancel()
        throw new Error(`it answered ${response.status}`)
      }
      return JSON.parse(await readBody(response)) as unknown
    })
    return parseIntensity(format, value)
  }
}

async function readBody(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    length += part.byteLength
    if (length > MOST_BYTES) throw new Error(`its answer is longer than ${MOST_BYTES} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

async function attempt<T>(where: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (isMotorpoolError(error)) throw error
    const what = error instanceof Error ? error.message : String(error)
    throw new MotorpoolError('ERR_CARBON_INTENSITY', `no carbon intensity from ${where}: ${what}; check the file or address`, { cause: error, retryable: true })
  }
}
