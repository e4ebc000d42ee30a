import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { forkReady, stopChild } from '../child-processes.ts'
import type { BrokerProcessInit } from '../processes/broker.ts'
import { type BrokerName, findBroker } from './broker-program.ts'
import type { Certificate } from './transport.ts'

/** A broker on a free loopback port. */
export interface Broker {
  readonly port: number
  readonly pid: number
  readonly stop: () => Promise<void>
}

/** Largest message of the bench, with room: NATS takes 1 MiB unless told. */
const NATS_LIMITS = 'max_payload: 8MB\n'

/** Starts a broker, plain or with TLS only; undefined when its program is not there. */
export async function startBroker(name: BrokerName, certificate: Certificate | null, scratch: string): Promise<Broker | undefined> {
  const program = findBroker(name)
  if (program === undefined) return undefined
  const folder = join(scratch, `${name}-${certificate === null ? 'plain' : 'tls'}`)
  mkdirSync(folder)
  const settings = name === 'nats' ? natsArguments(folder, certificate) : redisArguments(folder, certificate)
  const init: BrokerProcessInit = { path: program.path, env: program.env, arguments: settings }
  const { child, ready } = await forkReady<{ readonly port: number; readonly pid: number }>('broker', init, { scratch })
  return { ...ready, stop: () => stopChild(child) }
}

/** `PORT` is replaced by a free one. */
function natsArguments(folder: string, certificate: Certificate | null): readonly string[] {
  const file = join(folder, 'nats.conf')
  const tls = certificate === null ? '' : `tls { cert_file: "${certificate.certificateFile}", key_file: "${certificate.keyFile}" }\n`
  writeFileSync(file, NATS_LIMITS + tls)
  return ['--addr', '127.0.0.1', '--port', 'PORT', '--config', file]
}

function redisArguments(folder: string, certificate: Certificate | null): readonly string[] {
  const listen =
    certificate === null
      ? ['--port', 'PORT']
      : ['--port', '0', '--tls-port', 'PORT', '--tls-cert-file', certificate.certificateFile, '--tls-key-file', certificate.keyFile, '--tls-auth-clients', 'no']
  return ['--bind', '127.0.0.1', ...listen, '--save', '', '--appendonly', 'no', '--dir', folder]
}
