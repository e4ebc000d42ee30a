import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Client, credentials } from '@grpc/grpc-js'
import { VAL_METHODS } from './kuksa-broker.ts'

/** A way to a broker, by TCP over loopback, that can be cut and mended: a broker of others isn't ours to stop. */
export async function startWay(target: string): Promise<{ address: () => string; cut: () => Promise<void>; mend: () => Promise<void> }> {
  const [host, targetPort] = [target.slice(0, target.lastIndexOf(':')), Number(target.slice(target.lastIndexOf(':') + 1))]
  const sockets = new Set<Socket>()
  let server: Server | undefined
  let port = 0
  const mend = async (): Promise<void> => {
    server = createServer(near => {
      const far = connect(targetPort, host)
      for (const [from, to] of [
        [near, far],
        [far, near]
      ] as const) {
        sockets.add(from)
        from.pipe(to)
        from.on('error', () => to.destroy())
        from.on('close', () => {
          sockets.delete(from)
          to.destroy()
        })
      }
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const bound = server.address()
    if (bound !== null && typeof bound === 'object') port = bound.port
  }
  await mend()
  return {
    address: () => `127.0.0.1:${port}`,
    cut: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => (server === undefined ? resolve(undefined) : server.close(resolve)))
    },
    mend
  }
}

/** Sets values at a broker, as a vehicle's feeders do. */
export function openPublisher(address: string): { publish: (path: string, value: Readonly<Record<string, unknown>>) => Promise<void>; close: () => void } {
  const client = new Client(address, credentials.createInsecure())
  const { path: method, requestSerialize, responseDeserialize } = VAL_METHODS['PublishValue']!
  return {
    publish: (path, value) =>
      new Promise((resolve, reject) => {
        const seconds = Math.floor(Date.now() / 1000)
        const request = { signal_id: { path }, data_point: { timestamp: { seconds, nanos: 0 }, value } }
        client.makeUnaryRequest(method, requestSerialize, responseDeserialize, request, error => (error === null ? resolve() : reject(error)))
      }),
    close: () => client.close()
  }
}
