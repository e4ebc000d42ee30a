import { createPeer } from '../../src/peer.ts'
import { giveLeasesBack } from '../lease-gap.ts'
import { settledLiveBytes, settledRssBytes, watchLoop } from '../self-watch.ts'

export interface SoakClientInit {
  readonly model: string
  readonly modelFolder: string
  readonly join: readonly string[]
  readonly leaseIdleMs: number
}

/** So many tasks, numbered from `from` on, after which its leases are given back; `memory` and `live` ask for bytes, `delay` for milliseconds. */
export type SoakCommand = { readonly from: number; readonly count: number } | 'memory' | 'live' | 'delay'

export interface SoakReport {
  /** Tasks that ended as a result, each counted once. */
  readonly results: number
  /** Results that came twice, or are not what was sent. */
  readonly wrong: number
  /** Why tasks failed. */
  readonly failed: readonly string[]
  readonly leasesOpened: number
}

const INPUT_BYTES = 1024
const init = JSON.parse(process.argv[2] ?? '{}') as SoakClientInit
process.on('disconnect', () => process.exit())

const peer = await createPeer({ modelFolder: init.modelFolder, join: init.join, leaseIdleMs: init.leaseIdleMs })
const loop = watchLoop()

/** Differs for every task. */
function inputOf(number: number): Uint8Array {
  const bytes = Buffer.alloc(INPUT_BYTES, number & 0xff)
  bytes.writeUInt32BE(number)
  return new Uint8Array(bytes)
}

function* tasksFrom(from: number, count: number) {
  for (let number = from; number < from + count; number++) yield { key: String(number), inputs: { x: inputOf(number) } }
}

async function soak(from: number, count: number): Promise<SoakReport> {
  /** By number, as a set of keys is megabytes of memory that is not the client's. */
  const seen = new Uint8Array(count)
  let results = 0
  const failed: string[] = []
  let wrong = 0
  let leasesOpened = 0
  const onEvent = ({ type }: { readonly type: string }): void => {
    if (type === 'lease-opened') leasesOpened++
  }
  for await (const outcome of peer.submit({ model: init.model, tasks: tasksFrom(from, count), onEvent })) {
    if (outcome.status === 'failed') {
      failed.push(outcome.error.message)
      continue
    }
    const output = outcome.result.outputs.y?.data ?? new Uint8Array()
    const number = Number(outcome.key)
    if (seen[number - from] === 1 || !Buffer.from(inputOf(number)).equals(output)) wrong++
    if (seen[number - from] !== 1) results++
    seen[number - from] = 1
  }
  await giveLeasesBack(peer)
  return { results, wrong, failed, leasesOpened }
}

process.on('message', async (command: SoakCommand) => {
  if (command === 'memory') process.send?.(settledRssBytes())
  else if (command === 'live') process.send?.(settledLiveBytes())
  else if (command === 'delay') process.send?.(loop.takeP99Ms())
  else process.send?.(await soak(command.from, command.count))
})
process.send?.({})
