import { setTimeout } from 'node:timers/promises'
import { noopModel } from '../../test/fixtures/models/make.ts'
import { startCarFleet } from '../car-fleet.ts'
import { ask, forkReady, type ReadyChild, rssBytesOf, stopChild } from '../child-processes.ts'
import type { Measure, Row } from '../measure.ts'
import type { SoakClientInit, SoakReport } from '../processes/soak-client.ts'
import { GROWTH_NOTE, WARM_TASKS } from '../self-watch.ts'

const TASKS = 100_000
const QUICK_TASKS = 4_000
const QUICK_WARM_TASKS = 400
const CLIENTS = 8
const LEASE_IDLE_MS = 300
/** For what a start leaves behind. */
const REST_MS = 1_000
const MIB = 2 ** 20
const KIB = 1024

/** What a car process holds when it is idle, for each client, and after many tasks; after full collections. `--tasks` makes it shorter. */
export const measure: Measure = {
  name: 'memory',
  run: async ({ quick, tasks = quick ? QUICK_TASKS : TASKS }) => {
    const fleet = await startCarFleet(1, { noop: noopModel() })
    const clients: ReadyChild<object>[] = []
    const car = fleet.cars[0]!.child
    const init: SoakClientInit = { model: 'noop', modelFolder: fleet.modelFolder, join: fleet.cars[0]!.addresses.slice(0, 1), leaseIdleMs: LEASE_IDLE_MS }
    const add = async (): Promise<ReadyChild<object>> => {
      const client = await forkReady<object>('soak-client', init, { scratch: fleet.folder })
      clients.push(client)
      await ask<SoakReport>(client.child, { from: 0, count: 1 })
      return client
    }
    const carBytes = async (): Promise<number> => {
      await setTimeout(REST_MS)
      return await ask<number>(car, 'memory')
    }
    try {
      const [report] = await fleet.report()
      const workerBytes = rssBytesOf(report?.workerPids[0] ?? 0)
      const idle = await carBytes()
      // The first client makes the car load what it needs for any.
      const first = await add()
      await setTimeout(REST_MS)
      const withOne = await ask<number>(car, 'live')
      while (clients.length <= CLIENTS) await add()
      await setTimeout(REST_MS)
      const perClient = ((await ask<number>(car, 'live')) - withOne) / CLIENTS
      for (const { child } of clients.splice(1)) await stopChild(child)
      const bothBytes = async (): Promise<readonly [car: number, client: number]> => [await carBytes(), await ask<number>(first.child, 'memory')]
      const [carIdle, clientIdle] = await bothBytes()
      const warm = quick ? QUICK_WARM_TASKS : WARM_TASKS
      await ask<SoakReport>(first.child, { from: 0, count: warm })
      const [carBefore, clientBefore] = await bothBytes()
      const { results } = await ask<SoakReport>(first.child, { from: warm, count: tasks })
      if (results !== tasks) throw new Error(`${results} of ${tasks} tasks ended as a result`)
      const [carAfter, clientAfter] = await bothBytes()
      const row = (what: string, value: number, unit: string, goal: Row['goal'], rounds: number): Row => ({
        measure: `memory: ${what}`,
        value,
        unit,
        goal,
        rounds
      })
      return [
        row('an idle car, its peer process', idle / MIB, 'MiB', null, 1),
        row('an idle car, its worker with the no-op model', workerBytes / MIB, 'MiB', null, 1),
        row('an idle client process', clientIdle / MIB, 'MiB', null, 1),
        { ...row('a car, for each connected client', perClient / KIB, 'KiB', null, CLIENTS), note: 'heap and buffers after full collections' },
        { ...row(`growth of a car after ${tasks} no-op tasks`, (carAfter - carBefore) / MIB, 'MiB', { atMost: 10 }, 1), note: GROWTH_NOTE },
        row('growth of a car since before the first of these', (carAfter - carIdle) / MIB, 'MiB', null, 1),
        { ...row(`growth of a client after ${tasks} no-op tasks`, (clientAfter - clientBefore) / MIB, 'MiB', { atMost: 10 }, 1), note: GROWTH_NOTE },
        row('growth of a client since before the first of these', (clientAfter - clientIdle) / MIB, 'MiB', null, 1)
      ]
    } finally {
      await Promise.all(clients.map(({ child }) => stopChild(child)))
      await fleet.stop()
    }
  }
}
