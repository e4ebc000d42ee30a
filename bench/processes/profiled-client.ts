import type { TaskResult } from '../../src/client/client.ts'
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
  /** How long tasks go over open leases before they are profiled, and then while they are, ms. */
  readonly warmUpMs: number
  readonly profiledMs: number
}

/** Milliseconds, or microseconds where the name says so, of one stage of each task. */
export type ClientStages = Readonly<Record<'announceMs' | 'offerMs' | 'awardMs' | 'totalUs' | 'sendUs' | 'queuedUs' | 'ranUs' | 'checkUs', readonly number[]>>

const LEASE_IDLE_MS = 300
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

const beginnings: (readonly [number, number, number])[] = []

/** Tasks over open leases for so long, as many in flight as the workload says. */
async function load(ms: number, onTimes: (times: TaskResult['times']) => void): Promise<void> {
  const until = performance.now() + ms
  const loop = async (): Promise<void> => {
    while (performance.now() < until) onTimes((await peer.run(init.model, inputs, { parameters })).times)
  }
  await Promise.all(Array.from({ length: init.workload.inFlight }, loop))
}

/** Code is compiled and leases are open when the profile begins. */
async function warmUp(): Promise<void> {
  await cold()
  for (let count = 0; count < init.coldTasks; count++) beginnings.push(await cold())
  await load(init.warmUpMs, () => {})
}

process.on('message', async (message: 'warm-up' | { readonly profileFile: string }) => {
  if (message === 'warm-up') {
    await warmUp()
    return void process.send?.({})
  }
  const stages = { totalUs: [] as number[], sendUs: [] as number[], queuedUs: [] as number[], ranUs: [] as number[], checkUs: [] as number[] }
  const stopProfile = await startProfile(message.profileFile)
  await load(init.profiledMs, times => {
    stages.totalUs.push(times.totalMs * 1000)
    for (const stage of ['sendUs', 'queuedUs', 'ranUs', 'checkUs'] as const) stages[stage].push(times[stage])
  })
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
