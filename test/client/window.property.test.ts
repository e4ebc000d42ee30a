import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type ClientState, type ClientStepEvent, initialClientState } from '../../src/client/steps/client-state.ts'
import { clientStep } from '../../src/client/steps/client-step.ts'
import type { LeaseId, PeerId, TaskId } from '../../src/protocol/ids.ts'
import { createVirtualCar } from '../car/virtual-car.ts'
import { seededRandom } from '../seeded-random.ts'

const CAR = 'car' as PeerId
/** The first round trips measured may be the longest. */
const WARM_RESULTS = 20
/** Runs to watch once the lease is warm. */
const RUNS = 200

/** A client with endless tasks and one car at the end of a line; how idle the car is, and how much waits on it, once it is warm. */
function watchLease({ seed, roundTripMs, runMs }: { readonly seed: number; readonly roundTripMs: number; readonly runMs: number }): {
  readonly idleShare: number
  readonly mostOnCar: number
} {
  const random = seededRandom(seed)
  let client: ClientState = initialClientState({ ceiling: 0, unit: 'XXX', settings: { maximumCars: 1 } })
  let count = 0
  let done = 0
  let mostOnCar = 0
  const car = createVirtualCar({
    settings: { slots: 1 },
    // Runs differ by a tenth, as they do.
    runMs: () => runMs * (0.95 + random() * 0.1),
    onDone: task => {
      done++
      const named = { car: CAR, task, attempt: 1 }
      const result = { type: 'result' as const, ...named, ranUs: runMs * 1000, roundTripMs: roundTripMs * (1 + random() / 2) }
      const unproven = random() < 0.5
      if (unproven) toClient({ type: 'arrived', ...named })
      car.at(car.now() + roundTripMs / 2 + (unproven ? 20 : 0), () => step(result))
    }
  })
  function toClient(event: ClientStepEvent): void {
    car.at(car.now() + roundTripMs / 2, () => step(event))
  }
  function step(event: ClientStepEvent): void {
    const [next, effects] = clientStep(client, event, car.now())
    client = next
    for (const effect of effects) {
      if (effect.type === 'fail') throw new Error(`${effect.code}: ${effect.message}`)
      if (effect.type !== 'send') continue
      car.at(car.now() + roundTripMs / 2, () => {
        car.send('client', effect.task)
        mostOnCar = Math.max(mostOnCar, car.work().tasks.size)
      })
    }
    while (client.waiting.length < 2) step({ type: 'submitted', task: `${count++}` as TaskId, deadlineMs: Number.POSITIVE_INFINITY })
  }
  car.award({ name: 'client' })
  step({ type: 'granted', car: CAR, lease: 'lease' as LeaseId, slots: 512, parallel: 1 })
  // Warm: some results have told of the line and the car, and what they made room for has arrived.
  while (done < WARM_RESULTS) car.run(car.now() + runMs)
  car.run(car.now() + 2 * roundTripMs + 40)
  mostOnCar = 0
  const startedMs = car.now()
  const busyBefore = car.busyMs()
  const doneBefore = done
  while (done - doneBefore < RUNS) car.run(car.now() + 10 * runMs + roundTripMs)
  const wallMs = car.now() - startedMs
  return { idleShare: 1 - (car.busyMs() - busyBefore) / wallMs, mostOnCar }
}

it('a window fits the line and the car: a warm car is never idle, and few tasks wait on it', () => {
  fc.assert(
    fc.property(
      fc.record({
        seed: fc.integer(),
        roundTripMs: fc.integer({ min: 0, max: 300 }),
        runMs: fc.integer({ min: 1, max: 500 })
      }),
      load => {
        const { idleShare, mostOnCar } = watchLease(load)
        // A run is counted when it ends, so one is missing at each end of the watch.
        expect(idleShare).toBeLessThanOrEqual(0.02)
        // One runs, one waits, and short ones gather for 128 ms; the rest is what bunches on a line of up to 300 tasks, and a round trip
        // that is measured somewhat too long.
        expect(mostOnCar).toBeLessThanOrEqual(5 + Math.floor(128 / load.runMs) + Math.ceil(0.1 * (load.roundTripMs / load.runMs)))
      }
    ),
    { numRuns: 30, endOnFailure: true }
  )
})
