import { describe, expect, it } from 'vitest'
import { SHARD_DEFAULTS } from '../../src/placement/shards.ts'
import { createVirtualShards, seeded, type VirtualCar } from './virtual-shards.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
type World = ReturnType<typeof createVirtualShards>

const sizes = (world: World): number[] => [...world.shards().values()].map(cars => cars.length)
const moves = (world: World): number => [...world.cars].reduce((sum, car) => sum + car.moves, 0)
const heard = (world: World): number => [...world.cars].reduce((sum, car) => sum + car.heard, 0)

function settled(cars: number, seed: number, told: boolean): World {
  const random = seeded(seed)
  const world = createVirtualShards({ random })
  for (let index = 0; index < cars; index++) world.at(random() * MINUTE, () => world.join(`car ${index}`, told))
  world.run(10 * MINUTE)
  return world
}

describe('shards of virtual cars, split above 128, merged below 24', { timeout: 60_000 }, () => {
  it('split until none has more than 128 cars, each car hearing about a beacon a second', () => {
    const world = settled(300, 1, false)
    expect(world.cars.size).toBe(300)
    expect(Math.max(...sizes(world))).toBeLessThanOrEqual(SHARD_DEFAULTS.splitAbove)
    const before = heard(world)
    world.run(world.now() + 5 * MINUTE)
    const perCarAndSecond = (heard(world) - before) / world.cars.size / (5 * 60)
    expect(perCarAndSecond).toBeGreaterThan(0.7)
    expect(perCarAndSecond).toBeLessThan(1.2)
  })

  it('neither split nor merge for an hour in which as many cars come as go', () => {
    const world = settled(150, 2, false)
    const random = seeded(20)
    const before = moves(world)
    let comings = 0
    for (let count = 0; count < 100; count++)
      world.at(world.now() + random() * HOUR, () => {
        const cars = [...world.cars]
        world.leave(cars[Math.floor(random() * cars.length)]!, random() < 0.5)
        world.join(`newcomer ${comings++}`)
      })
    world.run(world.now() + HOUR)
    expect(comings).toBe(100)
    expect(Math.max(...sizes(world))).toBeLessThanOrEqual(SHARD_DEFAULTS.splitAbove)
    // Newcomers go to where the others are; those that are there stay, but for the one change that a drift of the numbers asks for.
    const byOldOnes = [...world.cars].filter(car => !car.peer.startsWith('newcomer')).reduce((sum, car) => sum + car.moves, 0)
    expect(byOldOnes).toBeLessThanOrEqual(before + 150)
    for (const car of world.cars) expect(car.moves, car.peer).toBeLessThanOrEqual(5)
  })

  it('merge when nine of ten leave without a word', () => {
    const world = settled(300, 3, false)
    const random = seeded(30)
    expect(sizes(world).length).toBeGreaterThan(2)
    for (const car of [...world.cars]) if (random() < 0.9) world.leave(car, false)
    world.run(world.now() + 30 * MINUTE)
    for (const [bits, cars] of world.shards()) if (bits !== '') expect(cars.length, bits).toBeGreaterThanOrEqual(SHARD_DEFAULTS.mergeBelow)
    const before = moves(world)
    world.run(world.now() + HOUR)
    expect(moves(world)).toBe(before)
  })

  it('keep a shard heard for the length of the hold after anybody could learn of it', () => {
    const random = seeded(4)
    const world = createVirtualShards({ random })
    for (let index = 0; index < 200; index++) world.at(random() * MINUTE, () => world.join(`car ${index}`, false))
    for (let atMs = MINUTE; atMs < 10 * MINUTE; atMs += SECOND) {
      world.run(atMs)
      // Who looked where the cars are announces there at any time within the hold.
      const known = [...world.shards().keys()]
      world.run(atMs + SHARD_DEFAULTS.holdMs - 1)
      for (const bits of known) expect(world.hearers(bits).size, bits).toBeGreaterThan(0)
      atMs += SHARD_DEFAULTS.holdMs
    }
    expect(sizes(world).length).toBeGreaterThan(1)
  })

  it('take a newcomer to the depth of the others at once', () => {
    const world = settled(200, 5, false)
    const late: VirtualCar = world.join('late')
    world.run(world.now() + 2 * SECOND)
    expect(late.state.leaf.length).toBeGreaterThan(0)
    expect(late.state.provided).toContain(late.state.leaf)
  })

  it('list about as many cars at the root of the DHT as in a leaf', () => {
    const world = settled(300, 6, false)
    const atRoot = [...world.cars].filter(car => car.state.provided.includes('')).length
    expect(atRoot).toBeGreaterThan(30)
    expect(atRoot).toBeLessThan(200)
  })
})
