import { expect, it } from 'vitest'
import { SHARD_DEFAULTS } from '../../src/placement/shards.ts'
import { createVirtualShards, seeded } from './virtual-shards.ts'

it('10,000 virtual cars that come within a minute, knowing nobody, are in shards of at most 128 after nine', { timeout: 600_000 }, () => {
  const random = seeded(1)
  const world = createVirtualShards({ random })
  for (let index = 0; index < 10_000; index++) world.at(random() * 60_000, () => world.join(`car ${index}`, false))
  world.run(540_000)
  const sizes = [...world.shards().values()].map(cars => cars.length)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(SHARD_DEFAULTS.splitAbove)
  const heard = [...world.cars].reduce((sum, car) => sum + car.heard, 0)
  // Also while nobody knows yet how many there are: reconsidered timers keep beacons at two or three a second at most.
  expect(heard / world.cars.size / 540).toBeLessThan(2)
  const atRoot = [...world.cars].filter(car => car.state.provided.includes('')).length
  expect(atRoot).toBeLessThan(3 * SHARD_DEFAULTS.splitAbove)
})
