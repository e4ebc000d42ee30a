import { readFileSync } from 'node:fs'
import type { TransportOptions } from './transport.ts'

/** How Redis lists and BullMQ reach the broker. */
export function redisConnection({ brokerPort, certificate }: TransportOptions) {
  return {
    host: '127.0.0.1',
    port: brokerPort,
    // BullMQ asks for it: its workers block.
    maxRetriesPerRequest: null,
    ...(certificate === null ? {} : { tls: { ca: readFileSync(certificate.certificateFile) } })
  }
}
