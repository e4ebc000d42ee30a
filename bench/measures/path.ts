import type { TaskResult } from '../../src/client/client.ts'
import { createPeer, type Peer } from '../../src/peer.ts'
import { noopModel } from '../../test/fixtures/models/make.ts'
import { type CarFleet, startCarFleet } from '../car-fleet.ts'
import { type Measure, median, type Row } from '../measure.ts'

const WARM_TASKS = 500
const INPUT = new Uint8Array(1024)

/** Where the time of one task on real processes goes: the stages of a no-op over an open lease. */
export const measure: Measure = {
  name: 'path',
  run: async () => {
    const fleet = await startCarFleet(1, { noop: noopModel() })
    try {
      return await warm(fleet)
    } finally {
      await fleet.stop()
    }
  }
}

const joinFleet = (fleet: CarFleet): Promise<Peer> => createPeer({ modelFolder: fleet.modelFolder, join: fleet.cars[0]!.addresses.slice(0, 1) })

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
