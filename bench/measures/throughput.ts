import { createScratch } from '../child-processes.ts'
import type { LoadCommand } from '../load-loop.ts'
import type { Measure, Row } from '../measure.ts'
import type { Side, SideReport } from '../sides.ts'
import { type Rounds, throughputRows } from '../throughput-rows.ts'
import { type Surroundings, startSides, startSurroundings } from '../throughput-sides.ts'
import { throughputWorkloads, type Workload } from '../workloads.ts'

const ROUNDS = 6
/** A process that stood still while the others took their turns has cold caches. */
const WARM_MS = 400
/** V8 compiles what was called some 3,000 times; until then a call takes up to twice the CPU. Each side gets as many first calls, or as long. */
const WARM_UP = { calls: 5000, leastMs: 3000, mostMs: 24_000, stepMs: 1500 }
const QUICK_WARM_UP = { ...WARM_UP, mostMs: 1500 }

/** The mesh against bare ONNX Runtime and against what people would put in front of ORT workers instead, all in turns on the same cores. */
export const measure: Measure = {
  name: 'throughput',
  run: async ({ quick, workload: only, tell }) => {
    const scratch = createScratch()
    try {
      const surroundings = await startSurroundings(scratch.folder)
      try {
        const { workloads, missing } = await throughputWorkloads(scratch.folder)
        for (const what of [...missing, ...surroundings.missing]) tell(`  left out: ${what}`)
        const rows: Row[] = []
        const chosen = workloads.filter(({ name }) => name.includes(only))
        for (const workload of chosen)
          try {
            rows.push(...(await measureWorkload(workload, surroundings, quick, tell)))
          } catch (error) {
            // The others are still worth their minutes.
            tell(`  ${workload.name} broke: ${error instanceof Error ? error.message : error}`)
          }
        if (chosen.length === 0) tell(`  no workload has ${only} in its name; there are ${workloads.map(({ name }) => name).join('; ')}`)
        return rows
      } finally {
        await surroundings.stop()
      }
    } finally {
      scratch.remove()
    }
  }
}

async function measureWorkload(workload: Workload, surroundings: Surroundings, quick: boolean, tell: (line: string) => void): Promise<readonly Row[]> {
  const rounds = quick ? 1 : ROUNDS
  const window = { warmMs: WARM_MS, ms: workload.windowMs }
  tell(`  ${workload.name}: starting`)
  const sides = await startSides(workload, surroundings, tell)
  try {
    const { bare, mesh, baselines } = sides
    const { outputBytes } = bare
    const failed = new Set<Side>()
    /** A baseline that breaks is left out; without the mesh or the limit there is nothing to compare. */
    const measureSide = async (side: Side, inFlight: number, times: Pick<LoadCommand, 'warmMs' | 'ms' | 'unsigned'>): Promise<SideReport | undefined> => {
      if (failed.has(side)) return undefined
      try {
        return await side.measure({ ...times, inFlight, outputBytes })
      } catch (error) {
        if (side === bare || side === mesh) throw error
        failed.add(side)
        tell(`  ${workload.name}: left out ${side.name}: ${error instanceof Error ? error.message : error}`)
        return undefined
      }
    }
    for (const side of sides.all) await warmUp(ms => measureSide(side, workload.inFlight, { warmMs: 0, ms }), quick ? QUICK_WARM_UP : WARM_UP)
    tell(`  ${workload.name}: ${rounds} rounds of ${sides.all.length} sides; the mesh as ${sides.meshShape}`)
    const saturated: Rounds = new Map()
    const alone: Rounds = new Map()
    const unsigned: Rounds = new Map()
    // How a lone task waits is only asked of sides that encrypt, and of the limit.
    const quiet = [bare, mesh, ...baselines.filter(({ tls }) => tls).map(({ side }) => side)]
    for (let round = 0; round < rounds; round++) {
      await oneRound(sides.all, round, saturated, side => measureSide(side, workload.inFlight, window))
      if (!workload.alone) continue
      await oneRound(quiet, round, alone, side => measureSide(side, 1, window))
      await oneRound([mesh], round, unsigned, side => measureSide(side, 1, { ...window, unsigned: true }))
    }
    const whole = { ...sides, baselines: baselines.filter(({ side }) => !failed.has(side)) }
    return throughputRows({ workload, sides: whole, saturated, alone, unsigned, rounds })
  } finally {
    await sides.stop()
  }
}

async function warmUp(measureFor: (ms: number) => Promise<SideReport | undefined>, { calls, leastMs, mostMs, stepMs }: typeof WARM_UP): Promise<void> {
  let called = 0
  for (let tookMs = 0; tookMs < mostMs && (tookMs < leastMs || called < calls); tookMs += stepMs) called += (await measureFor(stepMs))?.calls ?? calls
}

/** Each side once, every round in another order, so that noise of the machine hits all alike. */
async function oneRound(sides: readonly Side[], round: number, into: Rounds, measureSide: (side: Side) => Promise<SideReport | undefined>): Promise<void> {
  const shift = Math.round((round * sides.length) / ROUNDS)
  const order = [...sides.slice(shift), ...sides.slice(0, shift)]
  for (const side of round % 2 === 0 ? order : order.reverse()) {
    const report = await measureSide(side)
    if (report !== undefined) into.set(side, [...(into.get(side) ?? []), report])
  }
}
