import { setTimeout } from 'node:timers/promises'
import type { TaskResult } from '../../src/client/client.ts'
import { createPeer, type Peer } from '../../src/peer.ts'
import { noopModel } from '../../test/fixtures/models/make.ts'
import { type CarFleet, startCarFleet } from '../car-fleet.ts'
import { type Measure, median, type Row } from '../measure.ts'

const CARS = 20
const COLD_ROUNDS = 7
const NEWCOMERS = 5
const WARM_TASKS = 500
const INPUT = new Uint8Array(1024)

/** The path of one task on real processes: cold with 20 cars, a newcomer's first result, and the stages of a no-op over an open lease. */
export const measure: Measure = {
  name: 'path',
  run: async () => {
    const rows: Row[] = []
    const fleet = await startCarFleet(CARS, { noop: noopModel() })
    try {
      rows.push(...(await newcomers(fleet)), ...(await cold(fleet)))
    } finally {
      await fleet.stop()
    }
    const alone = await startCarFleet(1, { noop: noopModel() })
    try {
      return [...rows, ...(await warm(alone))]
    } finally {
      await alone.stop()
    }
  }
}

const joinFleet = (fleet: CarFleet): Promise<Peer> =>
  createPeer({ modelFolder: fleet.modelFolder, join: fleet.cars.slice(0, 2).flatMap(car => car.addresses.slice(0, 1)) })

async function newcomers(fleet: CarFleet): Promise<Row[]> {
  const firstMs: number[] = []
  for (let round = 0; round < NEWCOMERS; round++) {
    const started = performance.now()
    const client = await joinFleet(fleet)
    await client.run('noop', { x: INPUT })
    firstMs.push(performance.now() - started)
    await client.stop()
  }
  return [{ measure: `newcomer: from createPeer to the first result, ${CARS} cars`, value: median(firstMs), unit: 'ms', goal: null, rounds: NEWCOMERS }]
}

async function cold(fleet: CarFleet): Promise<Row[]> {
  const client = await joinFleet(fleet)
  try {
    await client.run('noop', { x: INPUT })
    const heardBefore = (await fleet.report()).map(car => car.heard)
    const coldMs: number[] = []
    for (let round = 0; round < COLD_ROUNDS; round++) {
      await giveLeasesBack(client)
      coldMs.push((await client.run('noop', { x: INPUT })).times.totalMs)
    }
    const heard = (await fleet.report()).map((car, index) => (car.heard - (heardBefore[index] ?? 0)) / COLD_ROUNDS)
    return [
      {
        measure: `cold: connected, no lease, ${CARS} cars, submission → result, 1 KiB no-op`,
        value: median(coldMs),
        unit: 'ms',
        goal: { atMost: 300 },
        rounds: COLD_ROUNDS
      },
      { measure: `announcements that a car heard for each cold task, ${CARS} cars`, value: median(heard), unit: 'messages', goal: null, rounds: COLD_ROUNDS }
    ]
  } finally {
    await client.stop()
  }
}

/** Waits until the client's idle leases are gone. */
async function giveLeasesBack(client: Peer): Promise<void> {
  while (client.status().client.leases > 0) await setTimeout(50)
}

/** The stages of a no-op over an open lease, with one car, so that nothing else asks for the CPU. */
async function warm(fleet: CarFleet): Promise<Row[]> {
  const client = await joinFleet(fleet)
  try {
    await client.run('noop', { x: INPUT })
    await fleet.report()
    const results: TaskResult[] = []
    for (let count = 0; count < WARM_TASKS; count++) results.push(await client.run('noop', { x: INPUT }))
    const cars = (await fleet.report()).filter(car => car.tasks > 10)
    const of = (pick: (result: TaskResult) => number): number => median(results.map(pick))
    const stages = {
      total: of(({ times }) => times.totalMs * 1000),
      'client: journal, hash, hand over': of(({ times }) => times.sendUs),
      'client: check': of(({ times }) => times.checkUs),
      'car: read, check the input': median(cars.map(car => car.readUs)),
      'car: wait for the worker, and its socket': of(({ times }) => times.queuedUs),
      'worker: run': of(({ times }) => times.ranUs),
      'car: journal, sign, hand over': median(cars.map(car => car.proveUs))
    }
    const rest = 2 * stages.total - Object.values(stages).reduce((sum, us) => sum + us, 0)
    const lowest = Math.min(...results.map(({ times }) => times.totalMs))
    return [
      ...Object.entries({ ...stages, 'wire and event loops (the rest)': rest }).map(([stage, us]) => ({
        measure: `no-op 1 KiB over an open lease, p50, ${stage}`,
        value: us,
        unit: 'µs',
        goal: null,
        rounds: WARM_TASKS
      })),
      { measure: 'no-op 1 KiB over an open lease, lowest', value: lowest * 1000, unit: 'µs', goal: null, rounds: WARM_TASKS }
    ]
  } finally {
    await client.stop()
  }
}
