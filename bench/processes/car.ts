import { startRunner } from '../../src/inference/start-runner.ts'
import { createPeerFrom } from '../../src/peer.ts'
import { pretendRunner } from '../pretend-runner.ts'
import { startProfile } from '../profiler.ts'
import { settledLiveBytes, settledRssBytes, watchLoop } from '../self-watch.ts'

/** What the bench hands a car process as its argument. */
export interface CarProcessInit {
  readonly modelFolder: string
  readonly publisher: string
  readonly join: readonly string[]
  readonly slots?: 1 | 2 | 4 | 8
  /** Its models don't run: each task holds a slot for so long, ms. */
  readonly pretendMs?: number
  /** Tells `loopDelayMs`. It looks a hundred times a second, which many cars on few cores would feel. */
  readonly watchesLoop?: boolean
}

/** What it answers to `report` (to `memory` and `live`: the bytes of its process, or what JavaScript holds of them, after a full collection): announcements heard, and medians over the last tasks since the last report. */
export interface CarReport {
  readonly heard: number
  readonly tasks: number
  readonly readUs: number
  readonly proveUs: number
  /** 99th percentile since the last report of how much later than due the event loop turned, milliseconds; NaN unless the car watches it. */
  readonly loopDelayMs: number
  readonly workerPids: readonly number[]
}

const init = JSON.parse(process.argv[2] ?? '{}') as CarProcessInit
/** Times of so many tasks are kept: what is measured here is the car's memory, not this list's. */
const TIMES_KEPT = 1024
const times: { readonly readUs: number; readonly proveUs: number }[] = []
let tasks = 0
const loop = init.watchesLoop === true ? watchLoop() : undefined
process.on('disconnect', () => process.exit())

const { pretendMs } = init
const parts = { startRunner: pretendMs === undefined ? startRunner : pretendRunner(pretendMs) }
const peer = await createPeerFrom(parts, {
  modelFolder: init.modelFolder,
  join: init.join,
  car: {
    policy: { publishers: [init.publisher] },
    slots: init.slots ?? 1,
    onEvent: event => {
      if (event.type === 'done') times[tasks++ % TIMES_KEPT] = { readUs: event.readUs, proveUs: event.proveUs }
    }
  }
})
const middle = (values: readonly number[]): number => [...values].sort((left, right) => left - right)[values.length >> 1] ?? 0

let stopProfile: (() => Promise<void>) | undefined
process.on('message', async (message: 'report' | 'memory' | 'live' | 'stop-profile' | { readonly startProfile: string }) => {
  if (typeof message === 'object') {
    stopProfile = await startProfile(message.startProfile)
    return void process.send?.({})
  }
  if (message === 'memory') return void process.send?.(settledRssBytes())
  if (message === 'live') return void process.send?.(settledLiveBytes())
  if (message === 'stop-profile') {
    await stopProfile?.()
    return void process.send?.({})
  }
  const report: CarReport = {
    heard: peer.car?.status().heard ?? 0,
    tasks,
    readUs: middle(times.map(({ readUs }) => readUs)),
    proveUs: middle(times.map(({ proveUs }) => proveUs)),
    loopDelayMs: loop?.takeP99Ms() ?? Number.NaN,
    workerPids: (peer.car?.status().models ?? []).flatMap(({ workerPids }) => workerPids)
  }
  tasks = 0
  times.length = 0
  process.send?.(report)
})
process.send?.({ addresses: peer.addresses(), peerId: peer.peerId })
