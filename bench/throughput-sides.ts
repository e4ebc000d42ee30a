import { availableParallelism } from 'node:os'
import type { BrokerName } from './baselines/broker-program.ts'
import { type Broker, startBroker } from './baselines/brokers.ts'
import { createCertificate } from './baselines/certificate.ts'
import type { Certificate } from './baselines/transport.ts'
import { TRANSPORTS, type TransportName } from './baselines/transports.ts'
import { brokerOf, type MeshShape, type Side, shapeText, startBare, startBaseline, startMesh } from './sides.ts'
import type { Workload } from './workloads.ts'

/** One worker per core, as the limit has one process per core; more than the mesh's largest number of slots gives nothing to compare. */
const WORKERS = Math.min(8, 2 ** Math.floor(Math.log2(availableParallelism())))
const TRANSPORT_NAMES = Object.keys(TRANSPORTS) as TransportName[]
/** As a car has one accelerator: several workers behind one peer. */
const MESH: MeshShape = { cars: 1, slots: WORKERS as MeshShape['slots'] }

/** A baseline, and whether it encrypts. */
export interface BaselineSide {
  readonly side: Side
  readonly transport: TransportName
  readonly tls: boolean
}

export interface WorkloadSides {
  readonly bare: Awaited<ReturnType<typeof startBare>>
  readonly mesh: Side
  readonly meshShape: string
  readonly baselines: readonly BaselineSide[]
  readonly all: readonly Side[]
}

/** What outlives a workload: brokers and the certificate. */
export interface Surroundings {
  readonly scratch: string
  readonly certificate: Certificate | undefined
  readonly brokerFor: (transport: TransportName, tls: boolean) => Broker | undefined
  /** What could not be started, in words. */
  readonly missing: readonly string[]
  readonly stop: () => Promise<void>
}

export async function startSurroundings(scratch: string): Promise<Surroundings> {
  const certificate = createCertificate(scratch)
  const brokers = new Map<string, Broker>()
  const missing = certificate === undefined ? ['every baseline with TLS: openssl is not installed'] : []
  for (const name of ['nats', 'redis'] satisfies BrokerName[])
    for (const security of certificate === undefined ? [null] : [null, certificate]) {
      const broker = await startBroker(name, security, scratch)
      if (broker === undefined)
        missing.push(`${name}${security === null ? '' : ' with TLS'}: ${name}-server is not installed and apt-get could not download it`)
      else brokers.set(`${name} ${security !== null}`, broker)
    }
  return {
    scratch,
    certificate,
    missing,
    brokerFor: (transport, tls) => brokers.get(`${brokerOf(transport)} ${tls}`),
    stop: async () => {
      await Promise.all([...brokers.values()].map(broker => broker.stop()))
    }
  }
}

/** Starts every side of a workload; the mesh as one car with a slot for each worker. */
export async function startSides(
  workload: Workload,
  surroundings: Surroundings,
  tell: (line: string) => void
): Promise<WorkloadSides & { readonly stop: () => Promise<void> }> {
  const started: Side[] = []
  const start = async <S extends Side>(starting: Promise<S>): Promise<S> => {
    const side = await starting
    started.push(side)
    return side
  }
  const stop = async (): Promise<void> => {
    await Promise.all(started.splice(0).map(side => side.stop()))
  }
  try {
    const bare = await start(startBare(workload, WORKERS, surroundings.scratch))
    const mesh = await start(startMesh(workload, MESH))
    const baselines: BaselineSide[] = []
    for (const transport of TRANSPORT_NAMES)
      for (const tls of [false, true]) {
        // The floor is asked for with the mesh's security only.
        if (!tls && (transport === 'bare frames' || !workload.plain)) continue
        const certificate = tls ? surroundings.certificate : null
        const broker = surroundings.brokerFor(transport, tls)
        if (certificate === undefined || (brokerOf(transport) !== null && broker === undefined)) continue
        try {
          const side = await start(startBaseline({ transport, workload, workers: WORKERS, certificate, broker, scratch: surroundings.scratch }))
          baselines.push({ side, transport, tls })
        } catch (error) {
          tell(`  ${workload.name}: left out ${transport}${tls ? ' with TLS' : ''}: ${error instanceof Error ? error.message : error}`)
        }
      }
    return { bare, mesh, meshShape: shapeText(MESH), baselines, all: [...started], stop }
  } catch (error) {
    await stop()
    throw error
  }
}
