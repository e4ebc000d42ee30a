import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'

/** Keeps a broker for as long as the bench lives: whoever ends the bench, and however, ends the broker too. */
export interface BrokerProcessInit {
  readonly path: string
  readonly env: Readonly<Record<string, string>>
  /** `PORT` stands for the port. */
  readonly arguments: readonly string[]
}

const PATIENCE_MS = 10_000
const RETRY_MS = 20

const init = JSON.parse(process.argv[2] ?? '{}') as BrokerProcessInit
const probe = createServer().listen(0, '127.0.0.1')
await once(probe, 'listening')
const { port } = probe.address() as AddressInfo
probe.close()
await once(probe, 'close')

const broker = spawn(
  init.path,
  init.arguments.map(argument => (argument === 'PORT' ? String(port) : argument)),
  { stdio: 'ignore', env: { ...process.env, ...init.env } }
)
process.on('exit', () => broker.kill('SIGKILL'))
process.on('disconnect', () => process.exit())
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit())
broker.once('error', () => process.exit(1))
broker.once('exit', () => process.exit(1))

const until = performance.now() + PATIENCE_MS
for (;;) {
  const socket = connect({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect')
    socket.destroy()
    break
  } catch {
    if (performance.now() > until) process.exit(1)
    await setTimeout(RETRY_MS)
  }
}
process.send?.({ port, pid: broker.pid })
