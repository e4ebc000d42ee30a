import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { type ConnectionStack, connectionStack } from '../../src/mesh/host/connection-stack.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** libp2p's own TCP and TLS under the same multiplexer as ours. */
export function stockStack(): ConnectionStack {
  return {
    ...connectionStack(),
    transports: [tcp({ inboundSocketInactivityTimeout: DAY_MS, outboundSocketInactivityTimeout: DAY_MS })],
    connectionEncrypters: [tls(), noise()]
  }
}
