import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setDefaultHighWaterMark } from 'node:stream'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { Pool } from 'undici'
import { type Call, type Transport, toLeastBusy } from './transport.ts'

const HEADERS = { 'content-type': 'application/octet-stream' }
const HOUR_MS = 3_600_000
/** Connections to each worker: one for every task that may be in flight. */
const CONNECTIONS = 64
/**
 * More than any body has. While a response waits to be flushed Node's server pauses its parser, and what a TLS socket
 * still hands it then makes it close the connection (HPE_PAUSED); with buffers of this size nothing waits.
 */
const WHOLE_BODY_BYTES = 1024 * 1024

/** HTTP/1.1 keep-alive: undici's pool in front of Hono. */
export const http: Transport = {
  serve: async (handler, { certificate }) => {
    setDefaultHighWaterMark(false, WHOLE_BODY_BYTES)
    const app = new Hono()
    app.post('/infer', async context => context.body(new Uint8Array(await handler(new Uint8Array(await context.req.arrayBuffer()))), 200, HEADERS))
    const secure =
      certificate === null ? {} : { createServer, serverOptions: { cert: readFileSync(certificate.certificateFile), key: readFileSync(certificate.keyFile) } }
    // Its cleaner closes connections whose request's end comes late, as it does on a busy machine; here every request is read whole.
    const server = createAdaptorServer({ fetch: app.fetch, autoCleanupIncoming: false, ...secure })
    if ('keepAliveTimeout' in server) server.keepAliveTimeout = HOUR_MS
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
  connect: async (ports, { certificate }) =>
    toLeastBusy(
      ports.map((port): Call => {
        const pool = new Pool(`${certificate === null ? 'http' : 'https'}://127.0.0.1:${port}`, {
          connections: CONNECTIONS,
          keepAliveTimeout: HOUR_MS,
          keepAliveMaxTimeout: HOUR_MS,
          ...(certificate === null ? {} : { connect: { ca: readFileSync(certificate.certificateFile) } })
        })
        return async input => {
          const { body, statusCode } = await pool.request({ path: '/infer', method: 'POST', body: input, headers: HEADERS })
          if (statusCode !== 200) throw new Error(`HTTP status ${statusCode}`)
          return new Uint8Array(await body.arrayBuffer())
        }
      })
    )
}
