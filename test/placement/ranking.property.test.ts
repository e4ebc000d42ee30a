import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expectedCompletionUs, isUsable, type RankableOffer, rankOffers } from '../../src/placement/ranking.ts'
import type { PeerId } from '../../src/protocol/ids.ts'

const empty = new Uint8Array(0)
interface Terms {
  readonly car?: string
  readonly completionUs?: number
  readonly perTask?: number
  readonly stay?: number | null
  readonly completionRate?: number
  readonly draw?: number
  readonly unit?: string
  readonly energyMj?: number | null
}
const offerOf = ({
  car = 'a',
  completionUs = 10_000,
  perTask = 0,
  stay = null,
  completionRate = 0.5,
  draw = 0.5,
  unit = 'EUR',
  energyMj = null
}: Terms): RankableOffer => ({
  car: car as PeerId,
  completionRate,
  draw,
  offer: {
    v: 1,
    task: empty,
    round: 0,
    model: empty,
    car: empty,
    client: empty,
    slots: 1,
    parallel: 1,
    queued: 0,
    completionUs,
    runUs: completionUs,
    price: { perTask, perItem: 0, per1kTokensIn: 0, per1kTokensOut: 0, unit },
    stay,
    energyMj,
    issued: 0,
    expires: 0
  }
})
const task = { ceiling: 1000, unit: 'EUR', timeLeftMs: 10_000 }
const order = (...offers: Terms[]): string[] => rankOffers(task, offers.map(offerOf)).map(({ car }) => car)

describe('ranking', () => {
  it('prefers the sooner completion', () =>
    expect(order({ car: 'slow', completionUs: 90_000 }, { car: 'quick', completionUs: 9000 })).toEqual(['quick', 'slow']))
  it('prefers the car that kept its word', () =>
    expect(order({ car: 'flaky', completionRate: 0.2 }, { car: 'true', completionRate: 0.95 })).toEqual(['true', 'flaky']))
  it('prefers the car that will stay', () =>
    expect(order({ car: 'leaving', stay: 250_000 }, { car: 'staying', stay: 950_000 })).toEqual(['staying', 'leaving']))
  it('weighs a departure by what it costs: much for a task of an instant, half of the run for a long one', () => {
    expect(order({ car: 'quick', completionUs: 10_000, stay: 500_000 }, { car: 'sure', completionUs: 50_000, stay: 990_000 })).toEqual(['sure', 'quick'])
    const long = 600_000_000
    expect(order({ car: 'quick', completionUs: long / 2, stay: 800_000 }, { car: 'sure', completionUs: long, stay: 990_000 })).toEqual(['quick', 'sure'])
    expect(expectedCompletionUs(long, 0.5)).toBeCloseTo(long * 1.5, -6)
  })
  it('ranks a car that tells no odds above one that may leave, below one that is sure', () => {
    const terms = [{ car: 'silent' }, { car: 'unsure', stay: 800_000 }, { car: 'sure', stay: 990_000 }].map(each => ({ ...each, completionUs: 10_000 }))
    expect(order(...terms)).toEqual(['sure', 'silent', 'unsure'])
  })
  it('prefers the lower price at the same speed', () => expect(order({ car: 'dear', perTask: 1000 }, { car: 'cheap', perTask: 10 })).toEqual(['cheap', 'dear']))
  it('leaves out what is too dear or in other money', () => {
    expect(order({ car: 'dear', perTask: 1001 }, { car: 'dollars', perTask: 1, unit: 'USD' }, { car: 'fits', perTask: 1000 })).toEqual(['fits'])
    expect(isUsable(task, offerOf({ unit: 'XXX' }).offer)).toBe(true)
  })
  it('draws among offers that rank alike', () => {
    expect(order({ car: 'a', completionUs: 10_000, draw: 0.9 }, { car: 'b', completionUs: 10_100, draw: 0.1 })).toEqual(['b', 'a'])
  })
  it('orders the same offers alike whatever order they came in', () => {
    const terms = fc.record({
      car: fc.string({ minLength: 1, maxLength: 4 }),
      completionUs: fc.nat(1_000_000),
      perTask: fc.nat(1200),
      stay: fc.option(fc.nat(1_000_000)),
      completionRate: fc.double({ min: 0, max: 1, noNaN: true }),
      draw: fc.double({ min: 0, max: 1, noNaN: true })
    })
    fc.assert(
      fc.property(fc.uniqueArray(terms, { selector: each => each.car, maxLength: 12 }), offers => {
        expect(order(...offers)).toEqual(order(...[...offers].reverse()))
      })
    )
  })
})
