import { readFileSync } from 'node:fs'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import type { Transport, TransportOptions } from './transport.ts'

const TIMEOUT_MS = 60_000

/** NATS request–reply; the workers are one queue group. */
export const nats: Transport = {
  serve: async (handler, options) => {
    const connection = await open(options)
    connection.subscribe(options.queue, {
      queue: 'workers',
      callback: (error, message) => {
        if (error !== null) throw error
        void handler(message.data).then(output => message.respond(output))
      }
    })
    await connection.flush()
    return 0
  },
  connect: async (_ports, options) => {
    const connection = await open(options)
    return async input => (await connection.request(options.queue, input, { timeout: TIMEOUT_MS })).data
  }
}

function open({ brokerPort, certificate }: TransportOptions): Promise<NatsConnection> {
  return connect({
    servers: `127.0.0.1:${brokerPort}`,
    ...(certificate === null ? {} : { tls: { ca: readFileSync(certificate.certificateFile, 'utf8') } })
  })
}
