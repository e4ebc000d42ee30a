import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SHARD_DEFAULTS } from '../../src/placement/shards.ts'
import { createVirtualShards, seeded } from './virtual-shards.ts'

const settings = { ...SHARD_DEFAULTS, splitAbove: 8, mergeBelow: 3 }

describe('shards of a few cars, split above 8, merged below 3', () => {
  it('come to rest whoever comes and goes: no shard too large, each car where its hash says, and as many count it as are there', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 60 }), (seed, coming, going) => {
        const random = seeded(seed)
        const world = createVirtualShards({ random, settings })
        for (let index = 0; index < coming; index++) world.at(random() * 120_000, () => world.join(`car ${seed} ${index}`, random() < 0.5))
        for (let index = 0; index < going; index++)
          world.at(random() * 240_000, () => {
            const cars = [...world.cars]
            const victim = cars[Math.floor(random() * cars.length)]
            if (victim !== undefined) world.leave(victim, random() < 0.5)
          })
        world.run(1_500_000)
        const moved = [...world.cars].map(car => car.moves)
        for (const [bits, cars] of world.shards()) {
          expect(cars.length).toBeLessThanOrEqual(settings.splitAbove)
          if (bits !== '') expect(cars.length).toBeGreaterThanOrEqual(settings.mergeBelow)
          for (const car of cars) {
            expect(car.path.startsWith(bits)).toBe(true)
            expect(car.state.mates.size + 1).toBe(cars.length)
            expect([...car.state.held]).toEqual([])
          }
          expect([...world.hearers(bits)].map(({ peer }) => peer).sort()).toEqual(cars.map(({ peer }) => peer).sort())
        }
        world.run(1_800_000)
        expect([...world.cars].map(car => car.moves)).toEqual(moved)
      }),
      { numRuns: 15 }
    )
  }, 60_000)
})
