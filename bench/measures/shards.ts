import { SHARD_DEFAULTS } from '../../src/placement/shards.ts'
import { cidOf } from '../../src/protocol/ids.ts'
import { startShardCar } from '../../test/car/shard-cars.ts'
import { createVirtualShards, seeded } from '../../test/placement/virtual-shards.ts'
import type { Measure, Row } from '../measure.ts'

const FLEETS = [25, 50, 100, 200] as const
/** A shard of the virtual fleets has at most 32 cars, so that these fleets split as 128 would make larger ones. */
const VIRTUAL = { ...SHARD_DEFAULTS, splitAbove: 32, mergeBelow: 6 }
const SETTLE_MS = 10 * 60_000
const COUNT_MS = 10 * 60_000

/** Real cars in one process: small shards and quick beacons, so that a split fits into the measure. */
const REAL_FLEETS = [8, 16] as const
const REAL = { splitAbove: 8, mergeBelow: 3, beaconMs: 500, entryMs: 300 }
const REAL_SETTLE_MS = 12_000
const REAL_COUNT_MS = 8_000

/** What a car hears as the fleet grows: beacons, and announcements of a client that goes to one shard at a time. */
export const measure: Measure = {
  name: 'shards',
  run: async () => {
    const virtual = FLEETS.map(virtualFleet)
    const real: Row[] = []
    for (const cars of REAL_FLEETS) real.push(await realFleet(cars))
    const [first, last] = [virtual[0]!, virtual.at(-1)!]
    return [
      ...virtual.flatMap(({ rows }) => rows),
      {
        measure: `announcements heard per car, ${FLEETS.at(-1)} ÷ ${FLEETS[0]} virtual cars, split above ${VIRTUAL.splitAbove}`,
        value: last.announcements / first.announcements,
        unit: 'ratio',
        goal: { atMost: 1.25 },
        rounds: 1,
        seed: 1,
        note: 'work grows with the fleet: one announcement a second for each 25 cars'
      },
      {
        measure: `beacons heard per car, ${FLEETS.at(-1)} ÷ ${FLEETS[0]} virtual cars`,
        value: last.beacons / first.beacons,
        unit: 'ratio',
        goal: { atMost: 1.25 },
        rounds: 1,
        seed: 1
      },
      ...real
    ]
  }
}

function virtualFleet(cars: number): { readonly beacons: number; readonly announcements: number; readonly rows: readonly Row[] } {
  const random = seeded(1)
  const world = createVirtualShards({ random, settings: VIRTUAL })
  for (let index = 0; index < cars; index++) world.at(random() * 60_000, () => world.join(`car ${index}`))
  world.run(SETTLE_MS)
  const before = [...world.cars].reduce((sum, car) => sum + car.heard, 0)
  let heardAnnouncements = 0
  const sent = (COUNT_MS / 1000) * (cars / FLEETS[0])
  for (let count = 0; count < sent; count++)
    world.at(SETTLE_MS + random() * COUNT_MS, () => {
      // A client knows a few cars of the tree and asks in the shard of one.
      const known = [...world.cars][Math.floor(random() * world.cars.size)]!
      heardAnnouncements += world.hearers(known.state.leaf).size
    })
  world.run(SETTLE_MS + COUNT_MS)
  const seconds = COUNT_MS / 1000
  const beacons = ([...world.cars].reduce((sum, car) => sum + car.heard, 0) - before) / cars / seconds
  const announcements = heardAnnouncements / cars / seconds
  const shape = { unit: 'messages/s', goal: null, rounds: 1, seed: 1, note: `${world.shards().size} shards` }
  return {
    beacons,
    announcements,
    rows: [
      { measure: `beacons heard per car, ${cars} virtual cars`, value: beacons, ...shape, goal: { atMost: 1.2 } },
      { measure: `announcements heard per car, ${cars} virtual cars`, value: announcements, ...shape }
    ]
  }
}

async function realFleet(count: number): Promise<Row> {
  const model = cidOf(Uint8Array.of(count))
  const cars = [await startShardCar(model, [], REAL)]
  try {
    const join = cars[0]!.mesh.addresses().slice(0, 1)
    for (let index = 1; index < count; index++) cars.push(await startShardCar(model, join, REAL))
    await pause(REAL_SETTLE_MS)
    const before = cars.reduce((sum, car) => sum + car.beacons(), 0)
    const started = performance.now()
    await pause(REAL_COUNT_MS)
    const beacons = cars.reduce((sum, car) => sum + car.beacons(), 0) - before
    const perPace = (beacons / count / (performance.now() - started)) * REAL.beaconMs
    return {
      measure: `beacons heard per car in the time that the pace gives a shard for one, ${count} real cars`,
      value: perPace,
      unit: 'messages',
      goal: { atMost: 2 },
      rounds: 1,
      note: `${new Set(cars.map(car => car.member.bits())).size} shards`
    }
  } finally {
    await Promise.all(cars.map(car => car.leave()))
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
