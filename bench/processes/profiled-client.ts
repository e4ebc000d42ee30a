import { createPeer } from '../../src/peer.ts'
import { startProfile } from '../profiler.ts'
import { inputTensors, parametersOf, type Workload } from '../workloads.ts'

export interface ProfiledClientInit {
  readonly workload: Workload
  readonly model: string
  readonly modelFolder: string
  readonly join: readonly string[]
  /** Tasks that find their lease closed, one after another. */
  readonly coldTasks: number
  /** How long tasks go over open leases, ms. */
  readonly warmMs: number
}

/** Milliseconds, or microseconds where the name says so, of one stage of each task. */
export type ClientStages = Readonly<Record<'announceMs' | 'offerMs' | 'awardMs' | 'totalUs' | 'sendUs' | 'queuedUs' | 'ranUs' | 'checkUs', readonly number[]>>

const LEASE_IDLE_MS = 100
const init = JSON.parse(process.argv[2] ?? '{}') as ProfiledClientInit
process.on('disconnect', () => process.exit())

const peer = await createPeer({ modelFolder: init.modelFolder, join: init.join, leaseIdleMs: LEASE_IDLE_MS })
const inputs = inputTensors(init.workload)
const parameters = parametersOf(init.workload)

/** One task without a lease, and when it was announced, offered and granted after its submission. */
async function cold(): Promise<readonly [number, number, number]> {
  const submittedMs = performance.now()
  const at = new Map<string, number>()
  const tasks = [{ key: 'only', inputs, parameters }]
  for await (const outcome of peer.submit({ model: init.model, tasks, onEvent: ({ type }) => void at.set(type, at.get(type) ?? performance.now()) }))
    if (outcome.status === 'failed') throw outcome.error
  while (peer.status().client.leases > 0) await new Promise(resolve => setTimeout(resolve, LEASE_IDLE_MS / 2))
  const announcedMs = at.get('announced') ?? submittedMs
  const offeredMs = at.get('offered') ?? announcedMs
  return [announcedMs - submittedMs, offeredMs - announcedMs, (at.get('lease-opened') ?? offeredMs) - offeredMs]
}

process.on('message', async (message: { readonly profileFile: string }) => {
  const beginnings: (readonly [number, number, number])[] = []
  for (let count = 0; count < init.coldTasks; count++) beginnings.push(await cold())
  const stages = { totalUs: [] as number[], sendUs: [] as number[], queuedUs: [] as number[], ranUs: [] as number[], checkUs: [] as number[] }
  const stopProfile = await startProfile(message.profileFile)
  const until = performance.now() + init.warmMs
  const loop = async (): Promise<void> => {
    while (performance.now() < until) {
      const { times } = await peer.run(init.model, inputs, { parameters })
      stages.totalUs.push(times.totalMs * 1000)
      for (const stage of ['sendUs', 'queuedUs', 'ranUs', 'checkUs'] as const) stages[stage].push(times[stage])
    }
  }
  await Promise.all(Array.from({ length: init.workload.inFlight }, loop))
  await stopProfile()
  const report: ClientStages = {
    announceMs: beginnings.map(([announce]) => announce),
    offerMs: beginnings.map(([, offer]) => offer),
    awardMs: beginnings.map(([, , award]) => award),
    ...stages
  }
  process.send?.(report)
})
process.send?.({})
