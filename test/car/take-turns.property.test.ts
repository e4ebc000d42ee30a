import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PeerId } from '../../src/protocol/ids.ts'
import { seededRandom } from '../seeded-random.ts'
import { createVirtualCar } from './virtual-car.ts'

/** What a client with 1,000 queued tasks has on the car; the others wait at home. */
const ON_THE_CAR = 64
/** Tasks of the client that sends one at a time. */
const SINGLES = 120

interface Load {
  readonly seed: number
  readonly slots: 1 | 2 | 4 | 8
  readonly serviceMs: number
  /** What a further task adds to a run, in service times. */
  readonly batch: number
  readonly extra: number
}

/** Times of a client that sends its tasks one after another, beside one that keeps the car full, or alone, ms, sorted. */
function timesOfSingles({ seed, slots, serviceMs, batch, extra }: Load, company: boolean): readonly number[] {
  const random = seededRandom(seed)
  const times: number[] = []
  let sentMs = 0
  let count = 0
  const car = createVirtualCar({
    settings: { slots, ...(batch > 1 ? { ahead: 15 } : {}) },
    batch,
    runMs: together => serviceMs * (1 + (together - 1) * extra),
    onDone: (_, client, nowMs) => {
      if (client === 'many') return car.send('many', `more-${count++}`)
      times.push(nowMs - sentMs)
      if (times.length < SINGLES) car.at(nowMs + random() * 3 * serviceMs, sendOne)
    }
  })
  const sendOne = (): void => {
    sentMs = car.now()
    car.send('single', `single-${count++}`)
  }
  car.award({ name: 'single' })
  if (company) {
    car.award({ name: 'many' })
    for (let queued = 0; queued < ON_THE_CAR; queued++) car.send('many', `many-${queued}`)
  }
  car.at(random() * serviceMs, sendOne)
  while (times.length < SINGLES) car.run(car.now() + 100 * serviceMs)
  return times.toSorted((left, right) => left - right)
}

describe('a car with several clients', () => {
  it('serves one that sends a task at a time within two service times more than alone, whatever the other has queued', () => {
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.integer(),
          slots: fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const),
          serviceMs: fc.integer({ min: 1, max: 500 }),
          batch: fc.constantFrom(1, 16),
          extra: fc.double({ min: 0.1, max: 1, noNaN: true })
        }),
        load => {
          const alone = timesOfSingles(load, false)
          const beside = timesOfSingles(load, true)
          const p99 = (times: readonly number[]): number => times[Math.ceil(times.length * 0.99) - 1] ?? Number.NaN
          expect(p99(alone)).toBeCloseTo(load.serviceMs, 3)
          // Of runs that are worth a gap none is kept ready.
          expect((p99(beside) - p99(alone)) / load.serviceMs).toBeLessThanOrEqual((load.serviceMs < 4 || load.batch > 1 ? 2 : 1) + 1e-6)
        }
      ),
      { numRuns: 24, endOnFailure: true }
    )
  })

  /** Runs two clients that always have tasks waiting, and tells how many of each were done after `untilMs`. */
  function share(clients: readonly { name: string; model?: string; weight?: number }[], runMs: (model: string) => number, untilMs: number): number[] {
    const done = new Map<PeerId, number>()
    let count = 0
    const car = createVirtualCar({
      settings: { slots: 1 },
      runMs: (_, model) => runMs(model),
      onDone: (_, client) => {
        done.set(client, (done.get(client) ?? 0) + 1)
        car.send(client, `${count++}`)
      }
    })
    for (const client of clients) {
      car.award(client)
      for (let queued = 0; queued < 20; queued++) car.send(client.name, `${count++}`)
    }
    car.run(untilMs)
    return clients.map(({ name }) => done.get(name as PeerId) ?? 0)
  }

  it('gives each its weight of the time, not of the tasks', () => {
    const [light = 0, heavy = 0] = share([{ name: 'light' }, { name: 'heavy', weight: 3 }], () => 10, 40_000)
    expect(heavy / light).toBeCloseTo(3, 1)
    const [short = 0, long = 0] = share([{ name: 'short' }, { name: 'long', model: 'other' }], model => (model === 'other' ? 50 : 5), 40_000)
    expect((short * 5) / (long * 50)).toBeCloseTo(1, 1)
  })

  it('owes nothing to one that had nothing to do', () => {
    const order: PeerId[] = []
    let count = 0
    const car = createVirtualCar({
      settings: { slots: 1 },
      runMs: () => 10,
      onDone: (_, client) => {
        order.push(client)
        car.send(client, `${count++}`)
      }
    })
    for (const name of ['busy', 'idle']) car.award({ name })
    for (let queued = 0; queued < 20; queued++) car.send('busy', `${count++}`)
    car.run(20_000)
    const before = order.length
    for (let queued = 0; queued < 200; queued++) car.send('idle', `${count++}`)
    car.run(21_000)
    const since = order.slice(before)
    expect(since.length).toBeGreaterThan(90)
    expect(since.filter(client => client === 'busy').length / since.length).toBeGreaterThan(0.45)
  })

  it('ends the lease of one that sends nothing for a quarter of an hour, and keeps that of one with work', () => {
    let count = 0
    const car = createVirtualCar({ settings: { slots: 1 }, runMs: () => 1000, onDone: (_, client) => car.send(client, `${count++}`) })
    for (const name of ['busy', 'idle']) car.award({ name })
    car.send('busy', 'first')
    car.run(899_000)
    expect(car.ended).toEqual([])
    car.run(1_800_000)
    expect(car.ended).toEqual([{ lease: 'lease-idle', client: 'idle' }])
    expect([...car.work().leases.keys()]).toEqual(['lease-busy'])
  })

  it('gives the place that rested longest to a newcomer when all are taken, and says busy when all are in use', () => {
    const car = createVirtualCar({ settings: { slots: 1, maximumLeases: 2 }, runMs: () => 10, onDone: () => undefined })
    car.award({ name: 'first' })
    car.run(1000)
    car.award({ name: 'second' })
    car.award({ name: 'third' })
    expect(car.refused).toEqual(['third'])
    car.run(12_000)
    car.award({ name: 'third' })
    expect(car.ended).toEqual([{ lease: 'lease-first', client: 'first' }])
    expect([...car.work().leases.keys()]).toEqual(['lease-second', 'lease-third'])
  })

  it('offers to a newcomer while others keep it busy only when all cars are asked', () => {
    const car = createVirtualCar({ settings: { slots: 1 }, runMs: () => 10_000, onDone: () => undefined })
    car.award({ name: 'busy' })
    car.send('busy', 'long')
    const announced = (ask: string, client: string, asksAll: boolean): void =>
      car.step({ type: 'announced', ask, client: client as PeerId, model: car.work().models.keys().next().value!, expiresMs: 30_000, asksAll })
    announced('first', 'new', false)
    announced('own', 'busy', true)
    expect(car.offers).toEqual([])
    announced('all', 'new', true)
    expect(car.offers).toEqual(['new'])
  })
})
