import { openHandler } from '../baselines/handler.ts'
import type { TransportOptions } from '../baselines/transport.ts'
import { TRANSPORTS, type TransportName } from '../baselines/transports.ts'
import type { Workload } from '../workloads.ts'

export interface BaselineProcessInit {
  readonly transport: TransportName
  readonly workload: Workload
  readonly options: TransportOptions
  /** For the client: where the workers listen. */
  readonly ports: readonly number[]
}

/** An ORT worker behind one transport: server and session in one process, so that nothing lies between them, but for a pipeline the mesh's own worker process. */
const { transport, workload, options } = JSON.parse(process.argv[2] ?? '{}') as BaselineProcessInit
process.on('disconnect', () => process.exit())
const { serve } = await TRANSPORTS[transport].load()
const { handle, workerPid = process.pid } = await openHandler(workload)
process.send?.({ port: await serve(handle, options), workerPid })
