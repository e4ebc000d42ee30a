import { createPeer, type Peer } from '../../src/peer.ts'
import type { Tensor } from '../../src/protocol/tensor.ts'
import { sleepyModel } from '../../test/fixtures/models/make.ts'
import { startCarFleet } from '../car-fleet.ts'
import { ask, forkReady, stopChild } from '../child-processes.ts'
import { type Measure, median, type Row } from '../measure.ts'
import type { QueueClientInit } from '../processes/queue-client.ts'

const SERVICE_MS = 5
const QUEUED = 1000
const ROUNDS = 6
/** Enough for a 99th percentile that is not the slowest. */
const SINGLES = 200
const X: Tensor = { type: 'float32', dims: [1], data: new Uint8Array(4) }

/** One car, two clients in processes of their own: what a client with one task at a time waits for another with 1,000 queued ones. */
export const measure: Measure = {
  name: 'fairness',
  run: async ({ quick, tell }) => {
    const fleet = await startCarFleet(1, { sleepy: sleepyModel(SERVICE_MS) })
    const join = fleet.cars.flatMap(car => car.addresses.slice(0, 1))
    const init: QueueClientInit = { model: 'sleepy', modelFolder: fleet.modelFolder, join, tasks: QUEUED }
    const single = await createPeer({ modelFolder: fleet.modelFolder, join, leaseIdleMs: 600_000 })
    try {
      const many = await forkReady<object>('queue-client', init, { scratch: fleet.folder })
      try {
        await sendSingles(single, 20)
        const rounds: Round[] = []
        for (let round = 0; round < (quick ? 1 : ROUNDS); round++) {
          const alone = await sendSingles(single, SINGLES)
          const before = await ask<{ readonly done: number }>(many.child, 'start')
          const beside = await sendSingles(single, SINGLES)
          const after = await ask<{ readonly done: number }>(many.child, 'stop')
          rounds.push({ alone, beside, othersDone: after.done - before.done })
          tell(
            `  p99 ${alone.p99Ms.toFixed(1)} ms alone, ${beside.p99Ms.toFixed(1)} ms beside; service ${alone.serviceMs.toFixed(1)} and ${beside.serviceMs.toFixed(1)} ms`
          )
        }
        return rowsOf(rounds)
      } finally {
        await stopChild(many.child)
      }
    } finally {
      await single.stop()
      await fleet.stop()
    }
  }
}

interface Times {
  readonly p50Ms: number
  readonly p99Ms: number
  /** Median wait on the car and run time, by its word. */
  readonly queuedMs: number
  readonly serviceMs: number
}

interface Round {
  readonly alone: Times
  readonly beside: Times
  readonly othersDone: number
}

async function sendSingles(client: Peer, count: number): Promise<Times> {
  const totalMs: number[] = []
  const queuedMs: number[] = []
  const ranMs: number[] = []
  for (let sent = 0; sent < count; sent++) {
    const { times } = await client.run('sleepy', { x: X })
    totalMs.push(times.totalMs)
    queuedMs.push(times.queuedUs / 1000)
    ranMs.push(times.ranUs / 1000)
  }
  totalMs.sort((left, right) => left - right)
  return { p50Ms: median(totalMs), p99Ms: totalMs[Math.ceil(count * 0.99) - 1]!, queuedMs: median(queuedMs), serviceMs: median(ranMs) }
}

function rowsOf(rounds: readonly Round[]): readonly Row[] {
  const over = (of: (times: Times) => number): number => median(rounds.map(({ alone, beside }) => (of(beside) - of(alone)) / beside.serviceMs))
  const shape = { unit: 'service times', rounds: rounds.length }
  return [
    {
      measure: `fairness: p99 of a client with one task at a time beside one with ${QUEUED} queued, less its p99 alone`,
      value: over(times => times.p99Ms),
      ...shape,
      goal: { atMost: 2 },
      note: `one car, runs of about ${SERVICE_MS} ms; the other client had ${median(rounds.map(round => round.othersDone))} results meanwhile`
    },
    { measure: 'fairness: the same of medians', value: over(times => times.p50Ms), ...shape, goal: null },
    { measure: 'fairness: of that, on the car', value: over(times => times.queuedMs), ...shape, goal: null }
  ]
}
