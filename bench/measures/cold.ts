import { availableParallelism } from 'node:os'
import { createPeer, type Peer } from '../../src/peer.ts'
import { noopModel } from '../../test/fixtures/models/make.ts'
import { type CarFleet, startCarFleet } from '../car-fleet.ts'
import { cpuUsOf, createScratch, forkReady, stopChild } from '../child-processes.ts'
import { type ColdRun, giveLeasesBack, runCold } from '../lease-gap.ts'
import { openLoneStreams } from '../lone-streams.ts'
import { type Measure, median, type Row } from '../measure.ts'

const CARS = 20
const QUICK_CARS = 4
const ROUNDS = 8
const NEWCOMERS = 5
/** First streams compile code. */
const WARM_STREAMS = 20
/** Lone streams beside each cold task, of which the median counts. */
const STREAMS_A_ROUND = 5
const LEASE_IDLE_MS = 300
const INPUT = new Uint8Array(1024)

/** A task that finds no lease, in turns with the least that it could be: one new stream to a worker that runs it at once. */
export const measure: Measure = {
  name: 'cold',
  run: async ({ quick }) => {
    const cars = quick ? QUICK_CARS : CARS
    const rounds = quick ? 2 : ROUNDS
    const fleet = await startCarFleet(cars, { noop: noopModel() })
    const scratch = createScratch()
    try {
      const lone = await forkReady<{ readonly address: string }>('stream-runner', {}, { scratch: scratch.folder })
      try {
        return [...(await newcomers(fleet, quick ? 1 : NEWCOMERS)), ...(await coldTasks(fleet, lone.ready.address, rounds))]
      } finally {
        await stopChild(lone.child)
      }
    } finally {
      scratch.remove()
      await fleet.stop()
    }
  }
}

const joinFleet = (fleet: CarFleet): Promise<Peer> =>
  createPeer({ modelFolder: fleet.modelFolder, join: fleet.cars.slice(0, 2).flatMap(car => car.addresses.slice(0, 1)), leaseIdleMs: LEASE_IDLE_MS })

async function newcomers(fleet: CarFleet, rounds: number): Promise<Row[]> {
  const firstMs: number[] = []
  for (let round = 0; round < rounds; round++) {
    const startedMs = performance.now()
    const client = await joinFleet(fleet)
    await client.run('noop', { x: INPUT })
    firstMs.push(performance.now() - startedMs)
    await client.stop()
  }
  return [{ measure: `newcomer: from createPeer to the first result, ${fleet.cars.length} cars`, value: median(firstMs), unit: 'ms', goal: null, rounds }]
}

async function coldTasks(fleet: CarFleet, address: string, rounds: number): Promise<Row[]> {
  const client = await joinFleet(fleet)
  const streams = await openLoneStreams(address)
  try {
    for (let count = 0; count < WARM_STREAMS; count++) await streams.run(INPUT)
    await client.run('noop', { x: INPUT })
    const heardBefore = (await fleet.report()).map(car => car.heard)
    const cpuUs = (): number => [process.pid, ...fleet.cars.map(({ child }) => child.pid ?? 0)].reduce((sum, pid) => sum + cpuUsOf(pid), 0)
    const cold: ColdRun[] = []
    const busy: number[] = []
    const lone: number[] = []
    for (let round = 0; round < rounds; round++) {
      const takeCold = async (): Promise<void> => {
        await giveLeasesBack(client)
        const [beforeUs, beforeMs] = [cpuUs(), performance.now()]
        cold.push(await runCold(client, 'noop', { x: INPUT }))
        busy.push((cpuUs() - beforeUs) / 1000 / (performance.now() - beforeMs) / availableParallelism())
      }
      if (round % 2 === 0) await takeCold()
      const alone: number[] = []
      for (let count = 0; count < STREAMS_A_ROUND; count++) alone.push(await streams.run(INPUT))
      lone.push(median(alone))
      if (round % 2 === 1) await takeCold()
    }
    const heard = (await fleet.report()).map((car, index) => (car.heard - (heardBefore[index] ?? 0)) / rounds)
    const what = `cold: connected, no lease, ${fleet.cars.length} cars, announcement → first result, 1 KiB no-op`
    const of = (value: (run: ColdRun) => number): number => median(cold.map(value))
    const why = `the first offer took ${of(({ offerMs }) => offerMs).toFixed(1)} ms, waiting for others and the grant ${of(({ awardMs }) => awardMs).toFixed(1)} ms, the task itself ${of(({ ms, offerMs, awardMs }) => ms - offerMs - awardMs).toFixed(1)} ms; client and cars took ${Math.round((100 * busy.reduce((sum, share) => sum + share, 0)) / rounds)} % of the cores' time meanwhile`
    return [
      { measure: what, value: of(({ ms }) => ms), unit: 'ms', goal: { atMost: 300 }, rounds, why },
      {
        measure: `${what} ÷ a lone stream's opening and run`,
        value: median(cold.map(({ ms }, round) => ms / lone[round]!)),
        unit: 'ratio',
        goal: { atMost: 10 },
        rounds,
        why,
        note: `the lone stream took ${median(lone).toFixed(1)} ms; it is neither announced, offered and awarded nor journalled and signed`
      },
      { measure: `announcements that a car heard for each cold task, ${fleet.cars.length} cars`, value: median(heard), unit: 'messages', goal: null, rounds }
    ]
  } finally {
    await streams.stop()
    await client.stop()
  }
}
