import type { TaskResult } from '../../src/client/client.ts'
import { createPeer } from '../../src/peer.ts'
import { noopModel } from '../../test/fixtures/models/make.ts'
import { startCarFleet } from '../car-fleet.ts'
import { startDelayProxy } from '../delay-proxy.ts'
import { runCold } from '../lease-gap.ts'
import { type Measure, median } from '../measure.ts'

const ONE_WAY_MS = 50
const RTT_MS = 2 * ONE_WAY_MS
const COLD_ROUNDS = 6
const WARM_TASKS = 30
const LEASE_IDLE_MS = 500
const INPUT = { x: new Uint8Array(1024) }

/** How many times a task goes to and fro between a client and a car that are 100 ms apart. */
export const measure: Measure = {
  name: 'round-trip',
  run: async ({ quick }) => {
    const rounds = quick ? 2 : COLD_ROUNDS
    const fleet = await startCarFleet(1, { noop: noopModel() })
    try {
      const address = fleet.cars[0]!.addresses[0]!
      const proxy = await startDelayProxy(Number(/\/tcp\/(\d+)/.exec(address)?.[1]), ONE_WAY_MS)
      const client = await createPeer({
        modelFolder: fleet.modelFolder,
        join: [address.replace(/\/tcp\/\d+/, `/tcp/${proxy.port}`)],
        leaseIdleMs: LEASE_IDLE_MS
      })
      try {
        await client.run('noop', INPUT)
        const cold: number[] = []
        for (let round = 0; round < rounds; round++) cold.push((await runCold(client, 'noop', INPUT)).ms)
        await client.run('noop', INPUT)
        const warm: TaskResult[] = []
        for (let count = 0; count < WARM_TASKS; count++) warm.push(await client.run('noop', INPUT))
        const of = (value: (result: TaskResult) => number): number => median(warm.map(value))
        const [rttMs = Number.NaN] = await Promise.all(fleet.cars.map(car => client.ping(car.peerId)))
        const note = `a ping of libp2p takes ${Math.round(rttMs)} ms there, over ${client.status().connections} connection`
        return [
          {
            measure: `${RTT_MS} ms round trip: cold, announcement → first result`,
            value: median(cold) / RTT_MS,
            unit: 'RTT',
            goal: { atMost: 10 },
            rounds,
            note
          },
          {
            measure: `${RTT_MS} ms round trip: over an open lease, p50 without the run`,
            value: median(warm.map(({ times }) => times.totalMs - times.ranUs / 1000)) / RTT_MS,
            unit: 'RTT',
            goal: { atMost: 1.1 },
            rounds: WARM_TASKS,
            why: `of ${Math.round(of(({ times }) => times.totalMs))} ms the client took ${of(({ times }) => (times.sendUs + times.checkUs) / 1000).toFixed(1)}, waiting for the worker ${of(({ times }) => times.queuedUs / 1000).toFixed(1)}; the rest is the way, the car's proof and waiting for the CPU`
          }
        ]
      } finally {
        await client.stop()
        proxy.stop()
      }
    } finally {
      await fleet.stop()
    }
  }
}
