import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decideShard, parseShardTopic, providedPrefixes, SHARD_DEFAULTS, shardBits, shardTopic, sizeBucket } from '../../src/placement/shards.ts'
import { cidOf } from '../../src/protocol/ids.ts'

const model = cidOf(new Uint8Array([1]))
const peerOf = (index: number): Uint8Array => createHash('sha256').update(`peer ${index}`).digest()

describe('shards', () => {
  it('read back the topics that they write, and no other', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[01]{0,32}$/), bits => {
        expect(parseShardTopic(shardTopic(model, bits))).toEqual({ model, bits })
      })
    )
    for (const topic of [
      '',
      '/motorpool/1/',
      `/motorpool/2/${model}/`,
      `/motorpool/1/${model}/2`,
      `/motorpool/1/${model}/${'0'.repeat(33)}`,
      `/motorpool/1/${model}`
    ]) {
      expect(parseShardTopic(topic), topic).toBeUndefined()
    }
  })

  it('give a car a prefix that only grows with depth', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 24 }), (index, depth) => {
        const bits = shardBits(peerOf(index), depth)
        expect(bits).toHaveLength(depth)
        expect(shardBits(peerOf(index), depth + 1).startsWith(bits)).toBe(true)
      })
    )
  })

  it('never split and merge the same cars back and forth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.stringMatching(/^[01]{0,20}$/), (cars, bits) => {
        const decision = decideShard(bits, cars)
        if (decision === 'split') expect(decideShard(`${bits}0`, Math.floor(cars * 0.4))).not.toBe('merge')
        if (decision === 'merge') expect(decideShard(bits.slice(1), cars * 2)).not.toBe('split')
      })
    )
  })

  it('end with at most 128 cars in a leaf, whatever the number of cars', () => {
    const prefixes = Array.from({ length: 20_000 }, (_, index) => shardBits(peerOf(index), SHARD_DEFAULTS.maximumDepth))
    for (const cars of [10, 1000, 20_000]) {
      const leaves = new Map<string, number>([['', cars]])
      for (let changed = true; changed; ) {
        changed = false
        for (const [bits, count] of [...leaves]) {
          if (decideShard(bits, count) !== 'split') continue
          leaves.delete(bits)
          changed = true
          for (let index = 0; index < cars; index++) {
            const leaf = (prefixes[index] ?? '').slice(0, bits.length + 1)
            if (leaf.startsWith(bits)) leaves.set(leaf, (leaves.get(leaf) ?? 0) + 1)
          }
        }
      }
      expect(Math.max(...leaves.values())).toBeLessThanOrEqual(SHARD_DEFAULTS.splitAbove)
      expect([...leaves.values()].reduce((sum, count) => sum + count, 0)).toBe(cars)
    }
  })

  it('list about as many cars at the root as in a leaf', () => {
    let state = 1
    const draw = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state / 2 ** 32
    }
    const depth = 6
    const cars = 64 * 2 ** depth
    let atRoot = 0
    for (let index = 0; index < cars; index++) if (providedPrefixes(shardBits(peerOf(index), depth), draw).includes('')) atRoot++
    expect(atRoot).toBeGreaterThan(32)
    expect(atRoot).toBeLessThan(128)
    expect(providedPrefixes('', draw)).toEqual([''])
  })
})

describe('size buckets', () => {
  it('grow by factors of four and hide the size within', () => {
    expect([0, 1, 1024, 1025, 4096, 4097, 2 ** 40].map(sizeBucket)).toEqual([0, 0, 0, 1, 1, 2, 15])
  })
})
