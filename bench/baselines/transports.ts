import type { BrokerName } from './broker-program.ts'
import type { Transport } from './transport.ts'

interface TransportEntry {
  readonly broker: BrokerName | null
  /** Each process loads only its own. */
  readonly load: () => Promise<Transport>
}

/** What a Node user would put in front of ORT workers instead of a mesh, and the bare framed stream that all of them are built on. */
export const TRANSPORTS = {
  HTTP: { broker: null, load: async () => (await import('./http.ts')).http },
  NATS: { broker: 'nats', load: async () => (await import('./nats.ts')).nats },
  'Redis lists': { broker: 'redis', load: async () => (await import('./redis-list.ts')).redisList },
  BullMQ: { broker: 'redis', load: async () => (await import('./bullmq.ts')).bullmq },
  gRPC: { broker: null, load: async () => (await import('./grpc.ts')).grpc },
  'bare frames': { broker: null, load: async () => (await import('./framed.ts')).framed }
} as const satisfies Readonly<Record<string, TransportEntry>>

export type TransportName = keyof typeof TRANSPORTS
