import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { Aedes } from 'aedes'

export interface MqttBroker {
  readonly url: () => string
  readonly kill: () => Promise<void>
  readonly restart: () => Promise<void>
  readonly remove: () => Promise<void>
}

/** aedes in this process; with `password`, it lets nobody else in. */
export async function startAedes(password?: string): Promise<MqttBroker> {
  let port = 0
  let close = async (): Promise<void> => {}
  const restart = async (): Promise<void> => {
    await close()
    const aedes = await Aedes.createBroker(
      password === undefined ? {} : { authenticate: (_client, _user, given, done) => done(null, given?.toString() === password) }
    )
    const sockets = new Set<Socket>()
    const server = createServer(socket => {
      sockets.add(socket.on('close', () => sockets.delete(socket)))
      aedes.handle(socket)
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
    close = async () => {
      close = async () => {}
      const closed = new Promise(resolve => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
      await new Promise<void>(resolve => aedes.close(resolve))
    }
  }
  await restart()
  return { url: () => `mqtt://127.0.0.1:${port}`, kill: () => close(), remove: () => close(), restart }
}

/** Debian's mosquitto; undefined where it isn't installed. */
export const MOSQUITTO = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'].map(folder => join(folder, 'mosquitto')).find(path => existsSync(path))

/** mosquitto as a process of its own, which can also be stopped in its tracks. */
export async function startMosquitto(program: string): Promise<MqttBroker & { readonly pid: () => number }> {
  const folder = mkdtempSync(join(tmpdir(), 'motorpool-mosquitto-'))
  const port = await freePort()
  const configuration = join(folder, 'mosquitto.conf')
  writeFileSync(configuration, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n`)
  let child: ChildProcess | undefined
  const start = async (): Promise<void> => {
    child = spawn(program, ['-c', configuration], { stdio: 'ignore' })
    await accepted(port)
  }
  const end = async (): Promise<void> => {
    if (child === undefined) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    child = undefined
    await ended
  }
  await start()
  return {
    url: () => `mqtt://127.0.0.1:${port}`,
    pid: () => child!.pid!,
    kill: end,
    remove: async () => {
      await end()
      rmSync(folder, { recursive: true, force: true })
    },
    restart: async () => {
      await end()
      await start()
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Resolves once somebody listens. */
async function accepted(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const isThere = await new Promise<boolean>(resolve => {
      socket.on('connect', () => resolve(true))
      socket.on('error', () => resolve(false))
    })
    socket.destroy()
    if (isThere) return
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
