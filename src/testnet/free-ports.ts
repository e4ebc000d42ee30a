import { createServer, type Server } from 'node:net'
import { MotorpoolError } from '../protocol/errors.ts'

/** Below the ports that systems give to outgoing connections (Linux from 32768, others from 49152), so that none takes one while its car is away. */
const PORTS = { first: 20_000, count: 12_000 } as const
const MOST_TRIES = 2000

/** Ports on loopback that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const held = new Map<number, Server>()
  try {
    for (let tries = 0; held.size < count; tries++) {
      if (tries > MOST_TRIES) throw new MotorpoolError('ERR_ADDRESS_IN_USE', `no ${count} ports are free on this machine; start fewer cars`)
      const port = PORTS.first + Math.floor(Math.random() * PORTS.count)
      const server = held.has(port) ? undefined : await listenOn(port)
      if (server !== undefined) held.set(port, server)
    }
    return [...held.keys()]
  } finally {
    await Promise.all([...held.values()].map(server => new Promise(resolve => server.close(resolve))))
  }
}

function listenOn(port: number): Promise<Server | undefined> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
