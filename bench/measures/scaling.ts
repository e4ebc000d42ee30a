import { availableParallelism } from 'node:os'
import { createScratch } from '../child-processes.ts'
import { type Measure, median, type Row } from '../measure.ts'
import { type MeshSide, startMesh } from '../sides.ts'
import { throughputWorkloads, type Workload } from '../workloads.ts'

const FLEETS = [1, 2, 4, 8, 16] as const
const HOLD_MS = 50
/** Each car has one task in its accelerator and others waiting for it. */
const IN_FLIGHT_PER_CAR = 4
const WINDOW = { warmMs: 300, ms: 1500 }
const ROUNDS = 6
/** V8 compiles what it meets often, and a car meets twenty tasks a second. */
const WARM_UP_MS = 15_000
/** Windows that a client has to take leases with all cars, before rounds count. */
const SETTLING = 8

/** How throughput grows with cars whose accelerators leave the CPU alone. */
export const measure: Measure = {
  name: 'scaling',
  run: async ({ quick, tell }) => {
    const scratch = createScratch()
    try {
      const { workloads } = await throughputWorkloads(scratch.folder)
      const noop = workloads[0]!
      const rows: Row[] = []
      let alone = Number.NaN
      for (const cars of quick ? FLEETS.slice(0, 3) : FLEETS) {
        tell(`  ${cars} cars`)
        const { perSecond, leases, busy } = await throughputOf(noop, cars, quick ? 1 : ROUNDS)
        if (cars === 1) alone = perSecond
        rows.push({
          measure: `throughput of ${cars} car${cars === 1 ? '' : 's'} with pretend accelerators ÷ ${cars} × one`,
          value: perSecond / cars / alone,
          unit: 'ratio',
          goal: cars === 1 ? null : { atLeast: 0.9 },
          rounds: quick ? 1 : ROUNDS,
          note: `${perSecond.toFixed(1)} of at most ${(cars * 1000) / HOLD_MS} tasks/s with ${leases} leases`,
          why: `client and cars used ${Math.round(busy * 100)} % of the cores' time; cars stood idle between tasks, or had no lease`
        })
      }
      return rows
    } finally {
      scratch.remove()
    }
  }
}

interface Scaled {
  readonly perSecond: number
  readonly leases: number
  /** Of the cores' time, by client and cars. */
  readonly busy: number
}

async function throughputOf(workload: Workload, cars: number, rounds: number): Promise<Scaled> {
  const side: MeshSide = await startMesh(workload, { cars, slots: 1 }, { pretendMs: HOLD_MS })
  try {
    const command = { ...WINDOW, inFlight: cars * IN_FLIGHT_PER_CAR, outputBytes: 1024 }
    for (let window = 0; window < SETTLING; window++) if ((await side.measure(command)).leases >= cars) break
    if (rounds > 1) await side.measure({ ...command, ms: WARM_UP_MS })
    const reports = []
    for (let round = 0; round < rounds; round++) reports.push(await side.measure(command))
    const busy = median(reports.map(({ perSecond, clientUs, serverUs }) => (perSecond * (clientUs + serverUs)) / 1e6)) / availableParallelism()
    return { perSecond: median(reports.map(report => report.perSecond)), leases: reports.at(-1)?.leases ?? 0, busy }
  } finally {
    await side.stop()
  }
}
