import { readFile } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { anySignal, MotorpoolError } from '../../protocol/errors.ts'
import { type SignalPath, VEHICLE_SIGNALS } from '../../protocol/vehicle/signals.ts'
import type { BackOff } from '../back-off.ts'
import { keepConnected } from '../keep-connected.ts'
import { createSignalBoard } from '../signal-board.ts'
import { isSignalPath } from '../signal-value.ts'
import { REFRESH_MS, SYSTEM_SURROUNDINGS, type VehicleSource } from '../vehicle-source.ts'
import { type KuksaTls, openKuksaClient } from './kuksa-client.ts'
import { decodeDatapoint } from './kuksa-datapoint.ts'

export interface KuksaOptions {
  /** `HOST:PORT` of the databroker. @default '127.0.0.1:55555' */
  readonly address?: string
  /** Without it the connection is in the clear. */
  readonly tls?: KuksaTls
  /** A JWT with the scope `read:Vehicle` or the paths themselves; only over TLS or loopback. */
  readonly token?: string
  /** A file that holds the token; read anew at each connection, so that a renewed one is taken up. */
  readonly tokenFile?: string
  /** How long an answer may take, ms. @default 2000 */
  readonly deadlineMs?: number
  /** How often values are read again, so that they count as fresh while the broker lives, ms. @default 1000 */
  readonly refreshMs?: number
  readonly backOff?: BackOff
}

const PATHS = Object.keys(VEHICLE_SIGNALS).filter(isSignalPath)

/**
 * Signals of a KUKSA databroker (kuksa.val.v2). It asks which paths the broker has, subscribes to those, and reads them again
 * every `refreshMs`: values come on change only, so that answer is what keeps them fresh, and a broker that doesn't give it in
 * time is lost. After a reconnection only what the broker tells anew counts.
 * Throws `ERR_INVALID_OPTION` for a token that would travel in the clear. A broker that isn't there is no error: the state is `lost`.
 */
export function openKuksa(options: KuksaOptions, surroundings = SYSTEM_SURROUNDINGS): VehicleSource {
  const { address = '127.0.0.1:55555', tls, deadlineMs = 2000, refreshMs = REFRESH_MS, backOff } = options
  if (!/^([\w.-]+|\[[\da-f:.]+\]):\d{1,5}$/i.test(address))
    throw new MotorpoolError('ERR_INVALID_OPTION', 'the address of the databroker is not HOST:PORT; give one such as 127.0.0.1:55555')
  if (tls === undefined && (options.token ?? options.tokenFile) !== undefined && !isLoopback(address))
    throw new MotorpoolError('ERR_INVALID_OPTION', 'a token would travel to the databroker in the clear; use kuksas:// (TLS), or a broker on this machine')
  const board = createSignalBoard(surroundings.clock, { state: 'lost', why: 'not yet connected to the databroker' })

  const connect = async (stopping: AbortSignal, onLive: () => void): Promise<string> => {
    const ending = new AbortController()
    const signal = anySignal(stopping, ending.signal)
    const token = checkToken(options.tokenFile === undefined ? options.token : await readToken(options.tokenFile))
    const client = openKuksaClient({ address, tls, token, deadlineMs, signal })
    try {
      const probed = await client.getEach(PATHS)
      const paths = PATHS.filter((_, index) => probed[index] !== undefined)
      if (paths.length === 0) throw new Error('the broker has none of the signals, or the token allows none; give it the scope read:Vehicle')
      let told = new Set<SignalPath>()
      let isFirst = true
      const first = Promise.withResolvers<void>()
      const ended = client.subscribe(paths, entries => {
        const known = Object.entries(entries).flatMap(([path, datapoint]) => (isSignalPath(path) ? [decodeDatapoint(path, datapoint)] : []))
        for (const { path } of known) told.add(path)
        if (isFirst) {
          const before = PATHS.flatMap((path, index) => (probed[index] === undefined ? [] : [decodeDatapoint(path, probed[index])]))
          board.tell([...before, ...known], { fresh: true, state: 'live' })
          onLive()
          first.resolve()
        } else board.tell(known)
        isFirst = false
      })
      const reread = async (): Promise<never> => {
        const late = setTimeout(() => first.reject(new Error(`the broker did not send the signals' values within ${deadlineMs} ms`)), deadlineMs)
        signal.addEventListener('abort', () => first.reject(signal.reason), { once: true })
        await first.promise.finally(() => clearTimeout(late))
        for (;;) {
          await delay(refreshMs, undefined, { signal })
          // What the subscription brings while the answer is under way is newer than the answer.
          told = new Set()
          const datapoints = await client.getValues(paths)
          board.tell(paths.flatMap((path, index) => (told.has(path) ? [] : [decodeDatapoint(path, datapoints[index]!)])))
        }
      }
      return await Promise.race([ended, reread()])
    } finally {
      ending.abort()
      client.close()
    }
  }

  const connection = keepConnected({ connect, onLost: why => board.become('lost', `databroker: ${why}`), backOff }, surroundings)
  return {
    name: 'kuksa',
    ...board.face,
    stop: async () => {
      board.close()
      await connection.stop()
    }
  }
}

async function readToken(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(error => {
    throw new Error(`the token file cannot be read (${error.code}); check its path and who may read it`)
  })
  return text.trim()
}

/** What isn't in the alphabet of bearer tokens (RFC 6750 §2.1) would break the header, and gRPC's error would show the token. */
function checkToken(token: string | undefined): string | undefined {
  if (token !== undefined && !/^[\w.~+/=-]+$/.test(token)) throw new Error('the token is none; give the JWT alone')
  return token
}

function isLoopback(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  return host === 'localhost' || /^127\.\d+\.\d+\.\d+$/.test(host) || (isIPv6(host) && /^(0*:)*:?0*1$/.test(host))
}
