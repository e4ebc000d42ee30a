import { createPeer } from '../../src/peer.ts'
import { type LoadCommand, type LoadReport, runLoad } from '../load-loop.ts'
import { inputTensors, parametersOf, type Workload } from '../workloads.ts'

export interface MeshClientInit {
  readonly workload: Workload
  /** The model's name in the store. */
  readonly model: string
  readonly modelFolder: string
  readonly join: readonly string[]
}

/** With the leases that the client holds at the end. */
export interface MeshLoadReport extends LoadReport {
  readonly leases: number
}

/** Puts load on the mesh, as an application does: `peer.run`, result checked, receipt kept. */
const { workload, model, modelFolder, join } = JSON.parse(process.argv[2] ?? '{}') as MeshClientInit
process.on('disconnect', () => process.exit())

/** Longer than the other sides take their turns: the lease stays open. */
const LEASE_IDLE_MS = 600_000

const peer = await createPeer({ modelFolder, join, leaseIdleMs: LEASE_IDLE_MS })
const inputs = inputTensors(workload)
const parameters = parametersOf(workload)
async function call(unsigned: boolean): Promise<number> {
  const { outputs } = await peer.run(model, inputs, { parameters, unsigned })
  return Object.values(outputs).reduce((sum, { data }) => sum + data.byteLength, 0)
}
process.on('message', async (command: LoadCommand) => {
  const report: MeshLoadReport = { ...(await runLoad(() => call(command.unsigned === true), command)), leases: peer.status().client.leases }
  process.send?.(report)
})
process.send?.({})
