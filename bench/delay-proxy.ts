import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to a port on loopback that is as long as told. */
export interface DelayProxy {
  readonly port: number
  readonly stop: () => void
}

/** Forwards TCP connections to a loopback port and holds every chunk for `oneWayMs` in each direction, in its order. */
export async function startDelayProxy(target: number, oneWayMs: number): Promise<DelayProxy> {
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    socket.setNoDelay(true)
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    return socket.on('close', () => sockets.delete(socket))
  }
  const server = createServer({ allowHalfOpen: true }, near => {
    const far = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
    forwardLate(keep(near), keep(far), oneWayMs)
    forwardLate(far, near, oneWayMs)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}

/** Timers of equal length end in the order in which they began, so chunks don't overtake each other. */
function forwardLate(from: Socket, to: Socket, ms: number): void {
  from.on('data', chunk => setTimeout(() => to.write(chunk), ms))
  from.on('end', () => setTimeout(() => to.end(), ms))
  from.on('close', () => setTimeout(() => to.destroy(), ms))
}
