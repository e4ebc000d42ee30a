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
/** Cars of the first process that keep the DHT's records; the others only ask. */
const SERVERS = 2
const ROUNDS = 6
const ANNOUNCEMENTS = 20
/** So few that 100 cars on two cores keep up: what is heard late would count as another window's. */
const PER_SECOND = 5
/** With fewer heard, or no CPU for them, a window says nothing of their cost. */
const LEAST_HEARD = 0.9
/** Until the last announcement is everywhere. */
const SPREAD_MS = 1_000
/** Cars find their neighbours until announcements reach all of them, and at rest a window costs no longer much less than the one before; at most for so long. */
const SETTLE_MOST_MS = 60_000
const CALM = 0.85

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
        const init: GossipCarsInit = { model, cars: each, join, splitAbove: SPLIT_ABOVE, servers: index === 0 ? SERVERS : 0 }
        groups.push(await forkReady('gossip-cars', init, { scratch: scratch.folder }))
        tell(`  ${(index + 1) * each} cars`)
      }
      asker = await startAsker(groups.flatMap(({ ready }) => ready.addresses.slice(0, 1)))
      await asker.waitForSubscribers(shardTopic(model, ''), 1, { signal: AbortSignal.timeout(30_000) })
      await settle(asker, model, groups, cars)
      await announce(asker, model, ANNOUNCEMENTS)
      const costs: number[] = []
      const shares: number[] = []
      let quiet = await calm(groups)
      for (let round = 0; round < rounds; round++) {
        const before = await report(groups)
        await announce(asker, model, ANNOUNCEMENTS)
        const after = await report(groups)
        const heard = after.heard - before.heard
        // What cars do anyway changes slowly: the quiet windows before and after this one tell of it.
        const next = await rest(groups)
        shares.push(heard / (cars * ANNOUNCEMENTS))
        costs.push((after.cpuUs - before.cpuUs - (quiet + next) / 2) / heard / 1000)
        tell(
          `  ${Math.round(quiet / 1000)} ms of CPU at rest, ${Math.round((after.cpuUs - before.cpuUs) / 1000)} ms with ${heard} announcements heard; ${after.neighbours} neighbours each`
        )
        quiet = next
      }
      if (median(shares) < LEAST_HEARD || median(costs) <= 0)
        throw new Error(
          `${Math.round(100 * median(shares))} % of the announcements arrived in time, at ${median(costs).toFixed(2)} ms each: this machine is too slow, or too busy, for ${cars} cars`
        )
      return [
        {
          measure: `CPU of a car for each announcement that it hears and forwards, ${cars} cars in one shard`,
          value: median(costs),
          unit: 'ms',
          goal: { atMost: 0.6 },
          rounds,
          note: `real gossipsub peers, ${each} in each of ${PROCESSES} processes; the CPU of as long without announcements, before and after, taken off`
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

/** Announces until all cars hear it, twice in a row. */
async function settle(asker: HostedMesh, model: ModelCid, groups: readonly ReadyChild<unknown>[], cars: number): Promise<void> {
  const untilMs = performance.now() + SETTLE_MOST_MS
  for (let reachedAll = 0; reachedAll < 2 && performance.now() < untilMs; ) {
    const before = await report(groups)
    await announce(asker, model, 1)
    const { heard } = await report(groups)
    reachedAll = heard - before.heard >= cars ? reachedAll + 1 : 0
  }
}

async function calm(groups: readonly ReadyChild<unknown>[]): Promise<number> {
  const untilMs = performance.now() + SETTLE_MOST_MS
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    const quiet = await rest(groups)
    if (quiet >= before * CALM || performance.now() >= untilMs) return quiet
    before = quiet
  }
}

/** Evenly spaced, each by another client, as cars limit what one may say. */
async function announce(asker: HostedMesh, model: ModelCid, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) {
    await asker.publish(shardTopic(model, ''), freshAnnouncement(model, '').message)
    await setTimeout(1000 / PER_SECOND)
  }
  await setTimeout(SPREAD_MS)
}

/** CPU of all cars, in microseconds, for as long as a window with announcements takes. */
async function rest(groups: readonly ReadyChild<unknown>[]): Promise<number> {
  const before = await report(groups)
  await setTimeout((ANNOUNCEMENTS * 1000) / PER_SECOND + SPREAD_MS)
  return (await report(groups)).cpuUs - before.cpuUs
}

interface Heard {
  readonly heard: number
  readonly cpuUs: number
  /** Median of cars that a car can send to. */
  readonly neighbours: number
}

async function report(groups: readonly ReadyChild<unknown>[]): Promise<Heard> {
  const reports = await Promise.all(groups.map(({ child }) => ask<GossipCarsReport>(child, 'report')))
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  return {
    heard: sum(reports.flatMap(({ heard }) => heard)),
    cpuUs: sum(reports.map(({ cpuUs }) => cpuUs)),
    neighbours: median(reports.flatMap(({ neighbours }) => neighbours))
  }
}
