import type { BrokerName } from './baselines/broker-program.ts'
import type { Broker } from './baselines/brokers.ts'
import type { Certificate } from './baselines/transport.ts'
import { TRANSPORTS, type TransportName } from './baselines/transports.ts'
import { startCarFleet } from './car-fleet.ts'
import { ask, cpuUsOf, forkReady, type ReadyChild, stopChild } from './child-processes.ts'
import type { LoadCommand, LoadReport } from './load-loop.ts'
import type { BaselineProcessInit } from './processes/baseline-worker.ts'
import type { CarProcessInit } from './processes/car.ts'
import type { MeshClientInit, MeshLoadReport } from './processes/mesh-client.ts'
import type { Workload } from './workloads.ts'

/** What one side did in one window; CPU in microseconds per call, NaN where it can't be told. */
export interface SideReport extends LoadReport {
  readonly clientUs: number
  /** Servers, cars, brokers: all but client and workers. For baselines whose server and session share a process, 0. */
  readonly serverUs: number
  readonly workerUs: number
}

/** One side's processes, kept warm between its windows. */
export interface Side {
  readonly name: string
  readonly measure: (command: LoadCommand) => Promise<SideReport>
  readonly stop: () => Promise<void>
}

interface Pids {
  readonly client: readonly number[]
  readonly server: readonly number[]
  readonly worker: readonly number[]
}

async function metered<Report extends LoadReport>(pids: Pids, load: () => Promise<Report>): Promise<Report & SideReport> {
  const spent = () => [pids.client, pids.server, pids.worker].map(group => group.reduce((sum, pid) => sum + cpuUsOf(pid), 0))
  const before = spent()
  const report = await load()
  const [clientUs = 0, serverUs = 0, workerUs = 0] = spent().map((us, at) => (us - before[at]!) / report.calls)
  return { ...report, clientUs, serverUs, workerUs }
}

/** Bare ONNX Runtime, one process per worker and no transport: the limit. Tells how long an output is. */
export async function startBare(workload: Workload, workers: number, scratch: string): Promise<Side & { readonly outputBytes: number }> {
  const loops = await startAll(workers, () => forkReady<{ readonly outputBytes: number; readonly workerPid: number }>('bare', workload, { scratch }))
  return {
    name: 'bare ONNX Runtime',
    outputBytes: loops[0]?.ready.outputBytes ?? 0,
    measure: command => {
      // One at a time means one process; saturated means all.
      const used = command.inFlight === 1 ? loops.slice(0, 1) : loops
      return metered({ client: [], server: [], worker: used.map(({ ready }) => ready.workerPid) }, async () => {
        const reports = await Promise.all(used.map(({ child }) => ask<LoadReport>(child, { ...command, inFlight: 1 })))
        const sum = (of: (report: LoadReport) => number): number => reports.reduce((total, report) => total + of(report), 0)
        return { perSecond: sum(report => report.perSecond), calls: sum(report => report.calls), p50Us: sum(report => report.p50Us) / reports.length }
      })
    },
    stop: () => stopAll(loops)
  }
}

export interface BaselineInit {
  readonly transport: TransportName
  readonly workload: Workload
  readonly workers: number
  /** Null: plain. */
  readonly certificate: Certificate | null
  readonly broker: Broker | undefined
  readonly scratch: string
}

/** A transport's client, its workers and, if it has one, its broker. */
export async function startBaseline({ transport, workload, workers: count, certificate, broker, scratch }: BaselineInit): Promise<Side> {
  const name = certificate === null ? `${transport}, plain` : `${transport} with TLS`
  const init: BaselineProcessInit = {
    transport,
    workload,
    ports: [],
    options: {
      brokerPort: broker?.port ?? 0,
      certificate,
      queue: `${transport}-${workload.name}`.replaceAll(/[^A-Za-z0-9]+/g, '-'),
      jobsAtOnce: Math.max(1, workload.inFlight / count / 2)
    }
  }
  const serving = await startAll(count, () => forkReady<{ readonly port: number; readonly workerPid: number }>('baseline-worker', init, { scratch }))
  const client = await forkReady<object>('baseline-client', { ...init, ports: serving.map(({ ready }) => ready.port) }, { scratch })
  const workers = serving.map(({ ready }) => ready.workerPid)
  const between = serving.map(({ pid }) => pid).filter(pid => !workers.includes(pid))
  const pids: Pids = { client: [client.pid], server: [...between, ...(broker === undefined ? [] : [broker.pid])], worker: workers }
  return {
    name,
    measure: command => metered(pids, () => ask<LoadReport>(client.child, command)),
    stop: () => stopAll([client, ...serving])
  }
}

/** How the mesh uses the machine's cores. */
export interface MeshShape {
  readonly cars: number
  readonly slots: NonNullable<CarProcessInit['slots']>
}

export const shapeText = ({ cars, slots }: MeshShape): string => `${cars} car${cars === 1 ? '' : 's'} with ${slots} slot${slots === 1 ? '' : 's'}`

export interface MeshSide extends Side {
  readonly measure: (command: LoadCommand) => Promise<SideReport & { readonly leases: number }>
}

/** A client peer and its cars, each in a process of its own, with their ORT workers. */
export async function startMesh(workload: Workload, shape: MeshShape, options: Pick<CarProcessInit, 'pretendMs'> = {}): Promise<MeshSide> {
  const model = 'measured'
  const fleet = await startCarFleet(shape.cars, { [model]: workload }, { ...options, slots: shape.slots })
  try {
    const init: MeshClientInit = { workload, model, modelFolder: fleet.modelFolder, join: fleet.cars.flatMap(car => car.addresses.slice(0, 1)) }
    const client = await forkReady<object>('mesh-client', init, { scratch: fleet.folder })
    return {
      name: 'mesh',
      measure: async command => {
        const reports = await fleet.report()
        const server = fleet.cars.map(({ child }) => child.pid ?? 0)
        return metered({ client: [client.pid], server, worker: reports.flatMap(({ workerPids }) => workerPids) }, () =>
          ask<MeshLoadReport>(client.child, command)
        )
      },
      stop: async () => {
        await stopChild(client.child)
        await fleet.stop()
      }
    }
  } catch (error) {
    await fleet.stop()
    throw error
  }
}

export const brokerOf = (transport: TransportName): BrokerName | null => TRANSPORTS[transport].broker

function startAll<Ready>(count: number, start: () => Promise<ReadyChild<Ready>>): Promise<readonly ReadyChild<Ready>[]> {
  return Promise.all(Array.from({ length: count }, start))
}

async function stopAll(children: readonly ReadyChild<unknown>[]): Promise<void> {
  await Promise.all(children.map(({ child }) => stopChild(child)))
}
