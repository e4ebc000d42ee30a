import { setTimeout } from 'node:timers/promises'
import type { TaskInputs } from '../src/client/client.ts'
import type { Peer } from '../src/peer.ts'

const LOOK_MS = 20

/** Waits until the client's idle leases are given back. */
export async function giveLeasesBack(client: Peer): Promise<void> {
  while (client.status().client.leases > 0) await setTimeout(LOOK_MS)
}

/** A task that found no lease; milliseconds. */
export interface ColdRun {
  /** From its announcement to its result. */
  readonly ms: number
  /** Of it until the first offer, and from there until a lease was open. */
  readonly offerMs: number
  readonly awardMs: number
}

/** Runs one task without a lease. */
export async function runCold(client: Peer, model: string, inputs: TaskInputs): Promise<ColdRun> {
  await giveLeasesBack(client)
  const at = new Map<string, number>()
  const onEvent = ({ type }: { readonly type: string }): void => void at.set(type, at.get(type) ?? performance.now())
  for await (const outcome of client.submit({ model, tasks: [{ key: 'only', inputs }], onEvent })) {
    if (outcome.status === 'failed') throw outcome.error
    const [announced, offered, opened] = [at.get('announced'), at.get('offered'), at.get('lease-opened')]
    if (announced === undefined || offered === undefined || opened === undefined)
      throw new Error('a task without a lease was not announced, offered and granted')
    return { ms: performance.now() - announced, offerMs: offered - announced, awardMs: opened - offered }
  }
  throw new Error('a job ended without its only task')
}
