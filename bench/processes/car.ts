import { createPeer } from '../../src/peer.ts'
import { startProfile } from '../profiler.ts'

/** What the bench hands a car process as its argument. */
export interface CarProcessInit {
  readonly modelFolder: string
  readonly publisher: string
  readonly join: readonly string[]
  readonly slots?: 1 | 2 | 4 | 8
}

/** What it answers to `report`: announcements heard, and medians over the tasks since the last report. */
export interface CarReport {
  readonly heard: number
  readonly tasks: number
  readonly readUs: number
  readonly proveUs: number
  /** User and system CPU of the peer process since the last report, microseconds. */
  readonly cpuUs: number
  readonly rssBytes: number
  readonly workerPids: readonly number[]
}

const init = JSON.parse(process.argv[2] ?? '{}') as CarProcessInit
const tasks: { readonly readUs: number; readonly proveUs: number }[] = []
let cpu = process.cpuUsage()
process.on('disconnect', () => process.exit())

const peer = await createPeer({
  modelFolder: init.modelFolder,
  join: init.join,
  car: {
    policy: { publishers: [init.publisher] },
    slots: init.slots ?? 1,
    onEvent: event => {
      if (event.type === 'done') tasks.push(event)
    }
  }
})
const middle = (values: readonly number[]): number => [...values].sort((left, right) => left - right)[values.length >> 1] ?? 0

let stopProfile: (() => Promise<void>) | undefined
process.on('message', async (message: 'report' | 'stop-profile' | { readonly startProfile: string }) => {
  if (typeof message === 'object') {
    stopProfile = await startProfile(message.startProfile)
    return void process.send?.({})
  }
  if (message === 'stop-profile') {
    await stopProfile?.()
    return void process.send?.({})
  }
  const spent = process.cpuUsage(cpu)
  cpu = process.cpuUsage()
  const report: CarReport = {
    heard: peer.car?.status().heard ?? 0,
    tasks: tasks.length,
    readUs: middle(tasks.map(task => task.readUs)),
    proveUs: middle(tasks.map(task => task.proveUs)),
    cpuUs: spent.user + spent.system,
    rssBytes: process.memoryUsage.rss(),
    workerPids: (peer.car?.status().models ?? []).flatMap(({ workerPids }) => workerPids)
  }
  tasks.length = 0
  process.send?.(report)
})
process.send?.({ addresses: peer.addresses(), peerId: peer.peerId })
