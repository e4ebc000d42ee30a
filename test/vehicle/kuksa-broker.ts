import { Server, ServerCredentials, type ServerUnaryCall, type ServerWritableStream, type sendUnaryData, status } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

type TypedValue = Readonly<Record<string, unknown>>
interface Stored {
  readonly timestamp: { readonly seconds: number; readonly nanos: number }
  readonly value?: TypedValue
}
interface ValuesRequest {
  readonly signal_ids: readonly { readonly path: string }[]
}
interface PublishRequest {
  readonly signal_id: { readonly path: string }
  readonly data_point: Stored
}
interface SubscribeRequest {
  readonly signal_paths: readonly string[]
}

export interface BrokerInit {
  /** Paths that exist; all are unset at the start, and again after a restart. */
  readonly paths: readonly string[]
  /** When given, calls need it. */
  readonly token?: string
  /** Paths that the token allows; others are silently absent. @default all */
  readonly readable?: readonly string[]
  readonly tls?: { readonly key: Buffer; readonly certificate: Buffer }
}

/** A databroker with the wire form of KUKSA's: what it does was seen of databroker 0.7.1. */
export interface KuksaBroker {
  readonly address: () => string
  /** Sets a value in one of the wire's types, such as `{ bool: true }`; without one it is withdrawn. */
  readonly publish: (path: string, value?: TypedValue, unixMs?: number) => void
  /** Answers are held back, as they are when they are asked for, until `release` is called; `held` resolves with the first. */
  readonly stall: () => { readonly held: Promise<void>; readonly release: () => void }
  /** Subscriptions stay open and bring nothing more. */
  readonly mute: () => void
  /** Ends subscriptions with status OK, as when it is told to stop or a token expires. */
  readonly endStreams: () => void
  readonly setToken: (token: string) => void
  /** What was subscribed to, one entry a call. */
  readonly subscriptions: () => readonly (readonly string[])[]
  readonly kill: () => void
  /** With other paths than before, when given. */
  readonly restart: (paths?: readonly string[]) => Promise<void>
}

const LOADED = loadSync(new URL('../fixtures/kuksa/val.proto', import.meta.url).pathname, { keepCase: true, longs: Number, oneofs: true })['kuksa.val.v2.VAL']!
if ('format' in LOADED) throw new TypeError('kuksa.val.v2.VAL is no service')
export const VAL_METHODS = LOADED

export async function startKuksaBroker({ readable, tls, ...init }: BrokerInit): Promise<KuksaBroker> {
  let { paths, token } = init
  const mayRead = (path: string) => readable?.includes(path) ?? true
  let server = new Server()
  let port = 0
  const values = new Map<string, Stored>()
  const streams = new Set<{ readonly paths: readonly string[]; readonly stream: ServerWritableStream<SubscribeRequest, object> }>()
  const subscriptions: (readonly string[])[] = []
  let stalled: { readonly held: () => void; readonly released: Promise<void> } | undefined
  const release = async (): Promise<void> => {
    stalled?.held()
    await stalled?.released
  }

  const refusal = (call: { metadata: { get: (key: string) => unknown[] } }, asked: readonly string[]) => {
    if (token !== undefined && call.metadata.get('authorization')[0] !== `Bearer ${token}`) return { code: status.UNAUTHENTICATED, details: 'Unauthenticated' }
    const unknown = asked.find(path => !paths.includes(path))
    return unknown === undefined ? undefined : { code: status.NOT_FOUND, details: `Path not found: ${unknown}` }
  }
  const publish = (path: string, stored: Stored): void => {
    values.set(path, stored)
    for (const { paths: wanted, stream } of streams) if (wanted.includes(path)) stream.write({ entries: { [path]: stored } })
  }
  const handlers = {
    GetValues: async (call: ServerUnaryCall<ValuesRequest, object>, done: sendUnaryData<object>) => {
      const asked = call.request.signal_ids.map(({ path }) => path)
      const answer = asked.filter(mayRead).map(path => values.get(path)!)
      await release()
      const refused = refusal(call, asked)
      if (refused !== undefined) done(refused)
      else done(null, { data_points: answer })
    },
    PublishValue: (call: ServerUnaryCall<PublishRequest, object>, done: sendUnaryData<object>) => {
      publish(call.request.signal_id.path, call.request.data_point)
      done(null, {})
    },
    Subscribe: async (stream: ServerWritableStream<SubscribeRequest, object>) => {
      const asked = stream.request.signal_paths
      const refused = refusal(stream, asked)
      if (refused !== undefined) return stream.destroy(Object.assign(new Error(refused.details), refused))
      subscriptions.push(asked)
      await release()
      const subscription = { paths: asked.filter(mayRead), stream }
      streams.add(subscription)
      stream.on('cancelled', () => streams.delete(subscription))
      stream.write({ entries: Object.fromEntries(subscription.paths.map(path => [path, values.get(path)!])) })
    }
  }
  const listen = async (): Promise<void> => {
    values.clear()
    for (const path of paths) values.set(path, { timestamp: { seconds: 1_700_000_000, nanos: 0 } })
    server = new Server()
    server.addService(VAL_METHODS, handlers)
    const credentials =
      tls === undefined ? ServerCredentials.createInsecure() : ServerCredentials.createSsl(null, [{ private_key: tls.key, cert_chain: tls.certificate }])
    port = await new Promise((resolve, reject) =>
      server.bindAsync(`127.0.0.1:${port}`, credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)))
    )
  }
  await listen()

  return {
    address: () => `127.0.0.1:${port}`,
    publish: (path, value, unixMs = 1_700_000_000_500) => {
      const timestamp = { seconds: Math.floor(unixMs / 1000), nanos: (unixMs - Math.floor(unixMs / 1000) * 1000) * 1e6 }
      publish(path, value === undefined ? { timestamp } : { timestamp, value })
    },
    stall: () => {
      const held = Promise.withResolvers<void>()
      const released = Promise.withResolvers<void>()
      stalled = { held: held.resolve, released: released.promise }
      return {
        held: held.promise,
        release: () => {
          stalled = undefined
          released.resolve()
        }
      }
    },
    mute: () => streams.clear(),
    endStreams: () => {
      for (const { stream } of streams) stream.end()
      streams.clear()
    },
    setToken: next => {
      token = next
    },
    subscriptions: () => subscriptions,
    kill: () => {
      streams.clear()
      server.forceShutdown()
    },
    restart: async next => {
      paths = next ?? paths
      streams.clear()
      server.forceShutdown()
      await listen()
    }
  }
}
