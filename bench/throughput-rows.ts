import { availableParallelism } from 'node:os'
import { type Goal, median, type Row } from './measure.ts'
import type { Side, SideReport } from './sides.ts'
import type { BaselineSide, WorkloadSides } from './throughput-sides.ts'
import type { Workload } from './workloads.ts'

/** What each side reported, round by round. */
export type Rounds = Map<Side, readonly SideReport[]>

export interface Measured {
  readonly workload: Workload
  readonly sides: WorkloadSides
  readonly saturated: Rounds
  /** One task at a time. */
  readonly alone: Rounds
  /** The mesh likewise, its results used before their receipts. */
  readonly unsigned: Rounds
  readonly rounds: number
}

/** Goals of saturated throughput ÷ bare ONNX Runtime: with the client on the same cores, and with its CPU counted as free. */
const BARE_GOALS: Readonly<Record<string, { readonly same: number; readonly carSide: number }>> = {
  'OCR recogniser': { same: 0.8, carSide: 0.88 },
  'OCR recogniser, argmax': { same: 0.85, carSide: 0.92 },
  'MiniLM, 28 tokens, pooled': { same: 0.9, carSide: 0.95 },
  'MiniLM, 64 tokens, pooled': { same: 0.95, carSide: 0.98 }
}
const LATENCY_GOAL: Goal = { atMost: 1.05 }
const FRAMED_LATENCY_GOAL: Goal = { atMost: 2 }
const AT_LEAST_EQUAL: Goal = { atLeast: 1 }

/** The rows of one workload, all of them ratios between windows of the same round, and the CPU of a task. */
export function throughputRows(measured: Measured): readonly Row[] {
  const { workload, sides, rounds } = measured
  const explain = whereTheTimeGoes(measured)
  const rows: Row[] = []
  const add = (
    measure: string,
    value: number,
    goal: Goal | null,
    more: { readonly unit?: string; readonly note?: string; readonly why?: string } = {}
  ): void => {
    const { unit = 'ratio', why = explain, note } = more
    rows.push({ measure: `${workload.name}: ${measure}`, value, unit, goal, rounds, why, ...(note === undefined ? {} : { note }) })
  }
  const { same, carSide } = BARE_GOALS[workload.name] ?? {}
  const shape = `the mesh as ${sides.meshShape}`
  add(
    'saturated throughput, mesh ÷ bare ONNX Runtime, client on the same cores',
    ratioOf(measured.saturated, sides.mesh, sides.bare, perSecond),
    atLeast(same),
    {
      note: shape
    }
  )
  add(
    'saturated throughput, mesh ÷ bare ONNX Runtime, car side only',
    ratioOf(measured.saturated, sides.mesh, sides.bare, carSidePerSecond),
    atLeast(carSide),
    {
      note: `the client's CPU counted as free: throughput ÷ (1 − its share of the CPU of client, cars and workers)`
    }
  )
  for (const { side, transport, tls } of sides.baselines) {
    // A bare stream does less than anybody would deploy; it is the floor, not a competitor.
    const goal = transport !== 'bare frames' && (tls || workload.isModel) ? AT_LEAST_EQUAL : null
    const load = transport === 'NATS' && tls ? `saturated (${workload.inFlight} in flight)` : 'saturated'
    add(`${load} throughput, mesh ÷ ${side.name}`, ratioOf(measured.saturated, sides.mesh, side, perSecond), goal, {
      why: `${explain}; ${side.name} ${cpuText(of(measured.saturated, side))}`
    })
  }
  if (workload.alone) addLatencies(measured, add)
  for (const [part, cpu] of Object.entries(cpuOf(of(measured.saturated, sides.mesh))))
    if (!Number.isNaN(cpu)) add(`CPU of a task when saturated, ${part}`, cpu, null, { unit: 'µs' })
  return rows
}

type Add = (measure: string, value: number, goal: Goal | null, more?: { readonly unit?: string; readonly note?: string }) => void

function addLatencies(measured: Measured, add: Add): void {
  const { workload, sides } = measured
  const rivals = sides.baselines.filter(({ transport, tls }) => tls && transport !== 'bare frames')
  const best = bestAlone(measured, rivals)
  if (best !== undefined) {
    const goal = workload.isModel ? LATENCY_GOAL : null
    const note = `the best was ${best.side.name}`
    const ratio = (rounds: Rounds): number => ratioOf(new Map([...measured.alone, ...rounds]), sides.mesh, best.side, p50Us)
    add('p50 of one task at a time, mesh ÷ best TLS baseline', ratio(measured.alone), goal, { note })
    add('p50 of one task at a time, mesh ÷ best TLS baseline, results used before their receipts (unsigned)', ratio(measured.unsigned), goal, { note })
  }
  const frames = sides.baselines.find(({ transport, tls }) => tls && transport === 'bare frames')
  if (frames !== undefined)
    add(
      'p50 of one task at a time over an open lease, mesh ÷ bare frames with TLS',
      ratioOf(measured.alone, sides.mesh, frames.side, p50Us),
      workload.name === 'no-op 1 KiB' ? FRAMED_LATENCY_GOAL : null
    )
  add('p50 of one task at a time, mesh', median(of(measured.alone, sides.mesh).map(p50Us)), null, { unit: 'µs' })
}

const perSecond = (report: SideReport): number => report.perSecond
const p50Us = (report: SideReport): number => report.p50Us
const totalUs = ({ clientUs, serverUs, workerUs }: SideReport): number => clientUs + serverUs + workerUs
const carSidePerSecond = (report: SideReport): number => (report.clientUs > 0 ? report.perSecond / (1 - report.clientUs / totalUs(report)) : report.perSecond)
const of = (rounds: Rounds, side: Side): readonly SideReport[] => rounds.get(side) ?? []
const atLeast = (least: number | undefined): Goal | null => (least === undefined ? null : { atLeast: least })

function ratioOf(rounds: Rounds, ours: Side, theirs: Side, value: (report: SideReport) => number): number {
  const other = of(rounds, theirs)
  const pairs = of(rounds, ours).map((report, round) => [value(report), value(other[round]!)] as const)
  // A side that did nothing in a window says nothing.
  return median(pairs.filter(([left, right]) => left > 0 && right > 0).map(([left, right]) => left / right))
}

function bestAlone({ alone }: Measured, rivals: readonly BaselineSide[]): BaselineSide | undefined {
  const typical = ({ side }: BaselineSide): number => median(of(alone, side).map(p50Us))
  return [...rivals].sort((left, right) => typical(left) - typical(right))[0]
}

function cpuOf(reports: readonly SideReport[]): { readonly client: number; readonly car: number; readonly workers: number } {
  return {
    client: median(reports.map(({ clientUs }) => clientUs)),
    car: median(reports.map(({ serverUs }) => serverUs)),
    workers: median(reports.map(({ workerUs }) => workerUs))
  }
}

function cpuText(reports: readonly SideReport[]): string {
  const { client, car, workers } = cpuOf(reports)
  return `takes ${Math.round(client)} + ${Math.round(car)} + ${Math.round(workers)} µs of CPU (client + between + workers)`
}

/** Why the mesh is as fast as it is: the CPU of a task beside that of the bare run, and how much of the machine stood idle. */
function whereTheTimeGoes({ sides, saturated }: Measured): string {
  const reports = of(saturated, sides.mesh)
  const bareUs = median(of(saturated, sides.bare).map(({ workerUs }) => workerUs))
  const busy = median(reports.map(report => (totalUs(report) * report.perSecond) / (availableParallelism() * 1e6)))
  return `a task ${cpuText(reports)} where the bare run takes ${Math.round(bareUs)}, and its processes used ${Math.round(busy * 100)} % of the cores' time`
}
