import { noopModel } from '../../test/fixtures/models/make.ts'
import { type CarFleet, startCarFleet } from '../car-fleet.ts'
import { ask, forkReady, type ReadyChild, stopChild } from '../child-processes.ts'
import type { Measure, Row } from '../measure.ts'
import type { SoakClientInit, SoakReport } from '../processes/soak-client.ts'
import { GROWTH_NOTE, WARM_TASKS } from '../self-watch.ts'

const TASKS = 100_000
const QUICK_TASKS = 4_000
const CARS = 4
const CLIENTS = 2
const BURSTS = 20
const LEASE_IDLE_MS = 150
/** Clients choose their cars, so the warm-up goes on until each has worked; in vain no longer than this many times. */
const MOST_WARM_UPS = 4
const MIB = 2 ** 20
const WHY_GROWN = 'a car that clients left alone at first grows by its first work, as each does; what JavaScript holds is in the next row'

/** Many small tasks over four cars, with leases opening and closing: nothing may be lost, leak or stall. `--tasks` makes it shorter. */
export const measure: Measure = {
  name: 'soak',
  run: async ({ quick, tasks = quick ? QUICK_TASKS : TASKS, tell }) => {
    const fleet = await startCarFleet(CARS, { noop: noopModel() }, { watchesLoop: true })
    const clients: ReadyChild<object>[] = []
    try {
      const init: SoakClientInit = {
        model: 'noop',
        modelFolder: fleet.modelFolder,
        join: fleet.cars.flatMap(car => car.addresses.slice(0, 1)),
        leaseIdleMs: LEASE_IDLE_MS
      }
      for (let count = 0; count < CLIENTS; count++) clients.push(await forkReady<object>('soak-client', init, { scratch: fleet.folder }))
      return await soak(fleet, clients, { tasks, warm: quick ? tasks / BURSTS : CARS * WARM_TASKS, leastWorked: quick ? 0 : WARM_TASKS / 4, tell })
    } finally {
      await Promise.all(clients.map(({ child }) => stopChild(child)))
      await fleet.stop()
    }
  }
}

async function soak(
  fleet: CarFleet,
  clients: readonly ReadyChild<object>[],
  { tasks, warm, leastWorked, tell }: { readonly tasks: number; readonly warm: number; readonly leastWorked: number; readonly tell: (line: string) => void }
): Promise<Row[]> {
  const burst = Math.ceil(tasks / BURSTS / CLIENTS)
  const reports: SoakReport[] = []
  let sent = 0
  const runBurst = async (): Promise<void> => {
    const commands = clients.map(({ child }, at) => ask<SoakReport>(child, { from: sent + at * burst, count: burst }))
    sent += burst * clients.length
    reports.push(...(await Promise.all(commands)))
  }
  /** Of the cars and of the clients: resident, and what JavaScript holds of it. */
  const memory = async (): Promise<Record<'resident' | 'live', readonly (readonly number[])[]>> => {
    const groups = [fleet.cars, clients]
    const of = (what: string): Promise<number[][]> => Promise.all(groups.map(group => Promise.all(group.map(({ child }) => ask<number>(child, what)))))
    return { resident: await of('memory'), live: await of('live') }
  }
  const first = await memory()
  const worked = fleet.cars.map(() => 0)
  while (sent < warm || (sent < MOST_WARM_UPS * warm && Math.min(...worked) < leastWorked)) {
    await runBurst()
    for (const [car, report] of (await fleet.report()).entries()) worked[car]! += report.tasks
  }
  const before = await memory()
  await fleet.report()
  await Promise.all(clients.map(({ child }) => ask<number>(child, 'delay')))
  reports.length = 0
  const soFar = sent
  const startedMs = performance.now()
  while (sent - soFar < tasks) {
    await runBurst()
    if (((sent - soFar) / burst / CLIENTS) % 5 === 0) tell(`  ${sent - soFar} tasks, ${Math.round((performance.now() - startedMs) / 1000)} s`)
  }
  const seconds = (performance.now() - startedMs) / 1000
  const carDelays = (await fleet.report()).map(({ loopDelayMs }) => loopDelayMs)
  const clientDelays = await Promise.all(clients.map(({ child }) => ask<number>(child, 'delay')))
  const after = await memory()
  const sum = (of: (report: SoakReport) => number): number => reports.reduce((total, report) => total + of(report), 0)
  const asked = sent - soFar
  const [failure] = reports.flatMap(({ failed }) => failed)
  const what = `${asked} no-op tasks of ${CLIENTS} clients over ${CARS} cars`
  const row = (measure: string, value: number, unit: string, atMost: number | null, why?: string): Row => ({
    measure: `${what}: ${measure}`,
    value,
    unit,
    goal: atMost === null ? null : { atMost },
    rounds: 1,
    ...(why === undefined ? {} : { why })
  })
  return [
    row('lost', asked - sum(({ results }) => results), 'tasks', 0, failure === undefined ? undefined : `the first failed with: ${failure}`),
    row(
      'delivered twice or wrong',
      sum(({ wrong }) => wrong),
      'tasks',
      0
    ),
    row('rate, pauses included', asked / seconds, 'tasks/s', null),
    row(
      'leases opened and closed',
      sum(({ leasesOpened }) => leasesOpened),
      'leases',
      null
    ),
    ...['a car', 'a client'].flatMap((who, group): Row[] => {
      const growth = (kind: 'resident' | 'live', since: typeof before): number =>
        Math.max(...after[kind][group]!.map((bytes, at) => bytes - since[kind][group]![at]!)) / MIB
      return [
        { ...row(`growth of ${who} process, the largest`, growth('resident', before), 'MiB', 10, WHY_GROWN), note: GROWTH_NOTE },
        { ...row(`growth of what ${who} holds, the largest`, growth('live', before), 'MiB', 10), note: 'heap and buffers after full collections' },
        row(`growth of ${who} process since before the first task, the largest`, growth('resident', first), 'MiB', null)
      ]
    }),
    row('event-loop delay p99, cars', Math.max(...carDelays), 'ms', null),
    row('event-loop delay p99, clients', Math.max(...clientDelays), 'ms', null)
  ]
}
