import { createPeer, type Peer } from '../../src/peer.ts'
import type { Tensor } from '../../src/protocol/tensor.ts'
import { noopModel, sleepyModel } from '../../test/fixtures/models/make.ts'
import { startCarFleet } from '../car-fleet.ts'
import { ask, forkReady, stopChild } from '../child-processes.ts'
import { type Measure, type MeasureOptions, median, type Row } from '../measure.ts'
import type { QueueClientInit } from '../processes/queue-client.ts'

const QUEUED = 1000
const ROUNDS = 6
/** Enough for a 99th percentile that is not the slowest. */
const SINGLES = 200
/** Part of the tasks whose stages are told. */
const SLOWEST = 0.02

/** What runs the tasks, one at a time. */
interface Runs {
  readonly what: string
  readonly ms: number
  readonly model: Uint8Array
  readonly pretended: boolean
  readonly x: Tensor & { readonly type: 'float32' | 'uint8' }
}

/** With a run that takes no CPU the row tells what the mesh adds; with one that does, what two cores do with five processes, too. */
const KINDS: readonly [Runs, Runs] = [
  { what: 'pretend accelerator', ms: 10, model: noopModel(), pretended: true, x: { type: 'uint8', dims: [1], data: new Uint8Array(1) } },
  { what: 'worker on the same cores', ms: 5, model: sleepyModel(5), pretended: false, x: { type: 'float32', dims: [1], data: new Uint8Array(4) } }
]

/** One car, two clients in processes of their own: what a client with one task at a time waits for another with 1,000 queued ones. */
export const measure: Measure = {
  name: 'fairness',
  run: async options => [...(await measureRuns(KINDS[0], { atMost: 2 }, options)), ...(await measureRuns(KINDS[1], null, options))]
}

async function measureRuns(runs: Runs, goal: Row['goal'], { quick, tell }: MeasureOptions): Promise<readonly Row[]> {
  const fleet = await startCarFleet(1, { shared: runs.model }, runs.pretended ? { pretendMs: runs.ms } : {})
  try {
    const join = fleet.cars.flatMap(car => car.addresses.slice(0, 1))
    const init: QueueClientInit = { model: 'shared', modelFolder: fleet.modelFolder, join, tasks: QUEUED, inputType: runs.x.type }
    const many = await forkReady<object>('queue-client', init, { scratch: fleet.folder })
    const single = await createPeer({ modelFolder: fleet.modelFolder, join, leaseIdleMs: 600_000 })
    try {
      await sendSingles(single, runs, 20)
      const rounds: Round[] = []
      for (let round = 0; round < (quick ? 1 : ROUNDS); round++) {
        const alone = await sendSingles(single, runs, SINGLES)
        const before = await ask<{ readonly done: number }>(many.child, 'start')
        const beside = await sendSingles(single, runs, SINGLES)
        const after = await ask<{ readonly done: number }>(many.child, 'stop')
        rounds.push({ alone, beside, othersDone: after.done - before.done })
        tell(`  ${runs.what}: p99 ${alone.p99Ms.toFixed(1)} ms alone, ${beside.p99Ms.toFixed(1)} ms beside; ${stagesText(beside)}`)
      }
      return rowsOf(runs, rounds, goal)
    } finally {
      await single.stop()
      await stopChild(many.child)
    }
  } finally {
    await fleet.stop()
  }
}

interface Times {
  readonly p50Ms: number
  readonly p99Ms: number
  /** Median run time, by the car's word. */
  readonly serviceMs: number
  /** Medians of the slowest tasks: wait and run on the car by its word, and all the rest: both journals, signatures, the way. */
  readonly slowest: { readonly queuedMs: number; readonly serviceMs: number; readonly restMs: number }
}

interface Round {
  readonly alone: Times
  readonly beside: Times
  readonly othersDone: number
}

async function sendSingles(client: Peer, { x }: Runs, count: number): Promise<Times> {
  const sent: { readonly ms: number; readonly queuedMs: number; readonly serviceMs: number; readonly restMs: number }[] = []
  while (sent.length < count) {
    const { times } = await client.run('shared', { x })
    const [queuedMs, serviceMs] = [times.queuedUs / 1000, times.ranUs / 1000]
    sent.push({ ms: times.totalMs, queuedMs, serviceMs, restMs: times.totalMs - queuedMs - serviceMs })
  }
  sent.sort((left, right) => left.ms - right.ms)
  const slowest = sent.slice(-Math.ceil(count * SLOWEST))
  return {
    p50Ms: median(sent.map(({ ms }) => ms)),
    p99Ms: sent[Math.ceil(count * 0.99) - 1]!.ms,
    serviceMs: median(sent.map(({ serviceMs }) => serviceMs)),
    slowest: {
      queuedMs: median(slowest.map(({ queuedMs }) => queuedMs)),
      serviceMs: median(slowest.map(({ serviceMs }) => serviceMs)),
      restMs: median(slowest.map(({ restMs }) => restMs))
    }
  }
}

function stagesText({ slowest: { queuedMs, serviceMs, restMs } }: Times): string {
  return `the slowest waited ${queuedMs.toFixed(1)} ms on the car, ran ${serviceMs.toFixed(1)} ms, and spent ${restMs.toFixed(1)} ms elsewhere`
}

function rowsOf(runs: Runs, rounds: readonly Round[], goal: Row['goal']): readonly Row[] {
  const over = (of: (times: Times) => number): number => median(rounds.map(({ alone, beside }) => (of(beside) - of(alone)) / beside.serviceMs))
  const shape = { unit: 'service times', rounds: rounds.length }
  const what = `fairness, ${runs.what}`
  return [
    {
      measure: `${what}: p99 of a client with one task at a time beside one with ${QUEUED} queued, less its p99 alone`,
      value: over(times => times.p99Ms),
      ...shape,
      goal,
      note: `one car, runs of about ${runs.ms} ms; the other client had ${median(rounds.map(round => round.othersDone))} results meanwhile`,
      why: stagesText(rounds[rounds.length >> 1]!.beside)
    },
    { measure: `${what}: the same of medians`, value: over(times => times.p50Ms), ...shape, goal: null },
    { measure: `${what}: of the slowest fiftieth, on the car`, value: over(times => times.slowest.queuedMs), ...shape, goal: null }
  ]
}
