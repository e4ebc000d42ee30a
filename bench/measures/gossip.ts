import { setTimeout } from 'node:timers/promises'
import type { HostedMesh } from '../../src/mesh/create-mesh.ts'
import { shardTopic } from '../../src/placement/shards.ts'
import { cidOf, type ModelCid } from '../../src/protocol/ids.ts'
import { freshAnnouncement, startAsker } from '../../test/car/shard-cars.ts'
import { ask, createScratch, forkReady, type ReadyChild, stopChild } from '../child-processes.ts'
import { type Measure, median } from '../measure.ts'
import type { GossipCarsInit, GossipCarsReport } from '../processes/gossip-cars.ts'

const PROCESSES = 4
const CARS_EACH = 25
const QUICK_CARS_EACH = 5
/** All in one shard, whatever their number. */
const SPLIT_ABOVE = 512
const ROUNDS = 6
const ANNOUNCEMENTS = 30
/** So few that 100 cars on two cores keep up: what is heard late would count as another window's. */
const PER_SECOND = 5
/** With fewer heard, or no CPU for them, a window says nothing of their cost. */
const LEAST_HEARD = 0.9
/** Until the last announcement is everywhere. */
const SPREAD_MS = 1_000
/** Meshes of gossip and routing tables settle meanwhile. */
const SETTLE_MS = 20_000

/** What announcements cost the cars of one shard in CPU: windows with them against windows without. Several cars share a process. */
export const measure: Measure = {
  name: 'gossip',
  run: async ({ quick, tell }) => {
    const each = quick ? QUICK_CARS_EACH : CARS_EACH
    const rounds = quick ? 1 : ROUNDS
    const cars = PROCESSES * each
    const model = cidOf(new TextEncoder().encode('gossip'))
    const scratch = createScratch()
    const groups: ReadyChild<{ readonly addresses: readonly string[] }>[] = []
    let asker: HostedMesh | undefined
    try {
      for (let index = 0; index < PROCESSES; index++) {
        const join = groups.slice(0, 2).flatMap(({ ready }) => ready.addresses.slice(0, 1))
        const init: GossipCarsInit = { model, cars: each, join, splitAbove: SPLIT_ABOVE }
        groups.push(await forkReady('gossip-cars', init, { scratch: scratch.folder }))
        tell(`  ${(index + 1) * each} cars`)
      }
      asker = await startAsker(groups.flatMap(({ ready }) => ready.addresses.slice(0, 1)))
      await asker.waitForSubscribers(shardTopic(model, ''), 1, { signal: AbortSignal.timeout(30_000) })
      await setTimeout(SETTLE_MS)
      await announce(asker, model)
      const costs: number[] = []
      const shares: number[] = []
      for (let round = 0; round < rounds; round++) {
        const before = await report(groups)
        const startedMs = performance.now()
        await announce(asker, model)
        const middle = await report(groups)
        await setTimeout(performance.now() - startedMs)
        const after = await report(groups)
        const heard = middle.heard - before.heard
        shares.push(heard / (cars * ANNOUNCEMENTS))
        costs.push((middle.cpuUs - before.cpuUs - (after.cpuUs - middle.cpuUs)) / heard / 1000)
      }
      if (median(shares) < LEAST_HEARD || median(costs) <= 0)
        throw new Error(
          `${Math.round(100 * median(shares))} % of the announcements arrived in time, at ${median(costs).toFixed(2)} ms each: this machine is too slow for ${cars} cars`
        )
      return [
        {
          measure: `CPU of a car for each announcement that it hears and forwards, ${cars} cars in one shard`,
          value: median(costs),
          unit: 'ms',
          goal: { atMost: 0.6 },
          rounds,
          note: `real gossipsub peers, ${each} in each of ${PROCESSES} processes; the CPU of as long without announcements taken off`
        },
        { measure: `share of announcements that reached a car, ${cars} cars in one shard`, value: median(shares), unit: 'ratio', goal: null, rounds }
      ]
    } finally {
      await asker?.stop()
      await Promise.all(groups.map(({ child }) => stopChild(child)))
      scratch.remove()
    }
  }
}

/** Evenly spaced, each by another client, as cars limit what one may say. */
async function announce(asker: HostedMesh, model: ModelCid): Promise<void> {
  for (let count = 0; count < ANNOUNCEMENTS; count++) {
    await asker.publish(shardTopic(model, ''), freshAnnouncement(model, '').message)
    await setTimeout(1000 / PER_SECOND)
  }
  await setTimeout(SPREAD_MS)
}

async function report(groups: readonly ReadyChild<unknown>[]): Promise<{ readonly heard: number; readonly cpuUs: number }> {
  const reports = await Promise.all(groups.map(({ child }) => ask<GossipCarsReport>(child, 'report')))
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  return { heard: sum(reports.flatMap(({ heard }) => heard)), cpuUs: sum(reports.map(({ cpuUs }) => cpuUs)) }
}
