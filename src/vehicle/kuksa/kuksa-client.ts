import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { z } from 'zod'
import type { SignalPath } from '../../protocol/vehicle/signals.ts'
import { type Datapoint, datapointSchema } from './kuksa-datapoint.ts'
import { KUKSA_METHODS } from './kuksa-schema.ts'

/** Certificates for TLS, PEM. */
export interface KuksaTls {
  /** Who signed the broker's certificate; without it the system's authorities. */
  readonly ca?: Buffer
  /** The name in the broker's certificate, where it isn't the host that is dialled. */
  readonly serverName?: string
}

export interface KuksaClient {
  /** The present datapoints, in order; undefined when the broker doesn't have the path or doesn't let us read it. */
  readonly getEach: (paths: readonly SignalPath[]) => Promise<(Datapoint | undefined)[]>
  /** The present datapoints of paths that are all there, in one call. */
  readonly getValues: (paths: readonly SignalPath[]) => Promise<Datapoint[]>
  /** Calls back with all current values at once, then with every change; resolves with why it ended, throws when it failed. */
  readonly subscribe: (paths: readonly SignalPath[], onEntries: (entries: Record<string, Datapoint>) => void) => Promise<string>
  readonly close: () => void
}

export interface KuksaClientInit {
  readonly address: string
  readonly tls?: KuksaTls
  readonly token?: string
  readonly deadlineMs: number
  /** Ends every call. */
  readonly signal: AbortSignal
}

const valuesSchema = z.object({ data_points: z.array(datapointSchema).default([]) })
const entriesSchema = z.object({ entries: z.record(z.string(), datapointSchema).default({}) })
/** Forty signals take some 3 KB. */
const MOST_MESSAGE_BYTES = 1 << 20

/** One connection to a databroker. Failures are errors whose message is for the owner. */
export function openKuksaClient({ address, tls, token, deadlineMs, signal }: KuksaClientInit): KuksaClient {
  const client = new Client(address, channelCredentials(tls), {
    ...(tls?.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': tls.serverName, 'grpc.default_authority': tls.serverName }),
    // A connection of our own: what another one waits for before it dials again isn't ours.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    'grpc.max_receive_message_length': MOST_MESSAGE_BYTES
  })
  const metadata = new Metadata()
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`)

  const getValues = (paths: readonly SignalPath[]): Promise<Datapoint[]> =>
    new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = KUKSA_METHODS.GetValues
      const request = { signal_ids: paths.map(each => ({ path: each })) }
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        { deadline: Date.now() + deadlineMs },
        (error, answer) => {
          signal.removeEventListener('abort', cancel)
          if (error !== null) return reject(error)
          const parsed = valuesSchema.safeParse(answer)
          if (parsed.success) resolve(parsed.data.data_points)
          else reject(new Error('the broker sent an answer that is none of kuksa.val.v2'))
        }
      )
      const cancel = () => call.cancel()
      signal.addEventListener('abort', cancel, { once: true })
    })

  return {
    getEach: paths =>
      Promise.all(
        paths.map(async path => {
          try {
            return (await getValues([path])).at(0)
          } catch (error) {
            if (codeOf(error) === status.NOT_FOUND || codeOf(error) === status.PERMISSION_DENIED) return undefined
            throw inWords(error, deadlineMs)
          }
        })
      ),
    getValues: async paths => {
      const datapoints = await getValues(paths).catch(error => {
        throw inWords(error, deadlineMs)
      })
      if (datapoints.length !== paths.length) throw new Error(`the broker answered ${datapoints.length} of ${paths.length} signals`)
      return datapoints
    },
    subscribe: (paths, onEntries) =>
      new Promise((resolve, reject) => {
        const { path, requestSerialize, responseDeserialize } = KUKSA_METHODS.Subscribe
        const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { signal_paths: paths }, metadata)
        const cancel = () => stream.cancel()
        signal.addEventListener('abort', cancel, { once: true })
        const end = (settle: () => void) => {
          signal.removeEventListener('abort', cancel)
          settle()
        }
        stream.on('data', message => {
          const parsed = entriesSchema.safeParse(message)
          if (parsed.success) onEntries(parsed.data.entries)
          else stream.destroy(new Error('the broker sent an update that is none of kuksa.val.v2'))
        })
        stream.on('error', error => end(() => reject(inWords(error, deadlineMs))))
        stream.on('end', () => end(() => resolve('the broker ended the subscription: it was stopped, or the token has expired')))
      }),
    close: () => client.close()
  }
}

function channelCredentials(tls: KuksaTls | undefined): ChannelCredentials {
  return tls === undefined ? credentials.createInsecure() : credentials.createSsl(tls.ca ?? null)
}

function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined
}

/** What a gRPC status means for the owner. */
function inWords(error: unknown, deadlineMs: number): Error {
  const code = codeOf(error)
  if (code === undefined) return error instanceof Error ? error : new Error(String(error))
  const { details } = error as ServiceError
  const texts: Readonly<Record<number, string>> = {
    [status.UNAVAILABLE]: 'the broker cannot be reached or went away',
    [status.DEADLINE_EXCEEDED]: `the broker did not answer within ${deadlineMs} ms`,
    [status.UNAUTHENTICATED]: 'the broker refuses the token: it is missing, wrong or has expired',
    [status.PERMISSION_DENIED]: 'the token does not allow reading these signals',
    [status.NOT_FOUND]: 'the broker no longer knows one of the signals',
    [status.UNIMPLEMENTED]: 'the broker does not speak kuksa.val.v2; databroker 0.5 or newer does'
  }
  return new Error(texts[code] ?? `the broker failed (${status[code] ?? code}: ${details})`, { cause: error })
}
