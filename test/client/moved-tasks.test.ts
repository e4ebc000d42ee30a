import { describe, expect, it } from 'vitest'
import { CLIENT_DEFAULTS, type ClientEffect, type ClientStepEvent, initialClientState } from '../../src/client/steps/client-state.ts'
import { clientStep } from '../../src/client/steps/client-step.ts'
import type { RankableOffer } from '../../src/placement/ranking.ts'
import type { LeaseId, PeerId, TaskId } from '../../src/protocol/ids.ts'
import { seededRandom } from '../seeded-random.ts'
import { createVirtualMesh } from './virtual-mesh.ts'

const [car, other] = ['car', 'other'] as PeerId[] as [PeerId, PeerId]
const lease = 'lease' as LeaseId
const task = 'task' as TaskId

/** A client with one task that waits, and a clock that is set by hand. */
function openClient() {
  let state = initialClientState({ ceiling: 0, unit: 'XXX' })
  const stepAt = (nowMs: number, event: ClientStepEvent): readonly ClientEffect[] => {
    const [next, effects] = clientStep(state, event, nowMs)
    state = next
    return effects
  }
  stepAt(0, { type: 'submitted', task, deadlineMs: 60_000 })
  return {
    stepAt,
    state: () => state,
    /** Announces to all cars, and waits in vain until the round is over. */
    askInVain: (ask: number, fromMs: number): readonly ClientEffect[] => {
      stepAt(fromMs, { type: 'discovered', ask, idleCars: 1 })
      stepAt(fromMs, { type: 'announced', ask, round: 0, recipients: 1 })
      return stepAt(fromMs + 200, { type: 'woken' })
    },
    grant: (nowMs: number, by: PeerId): readonly ClientEffect[] => stepAt(nowMs, { type: 'granted', car: by, lease, slots: 8, parallel: 1 })
  }
}

function offerOf(by: PeerId): RankableOffer {
  const empty = new Uint8Array(0)
  const price = { perTask: 0, perItem: 0, per1kTokensIn: 0, per1kTokensOut: 0, unit: 'XXX' }
  const work = { slots: 8, parallel: 1, queued: 0, completionUs: 0, runUs: 0, price, stay: null, energyMj: null }
  return {
    car: by,
    offer: { v: 1, task: empty, round: 0, model: empty, car: empty, client: empty, ...work, issued: 0, expires: 0 },
    completionRate: 0.5,
    draw: 0
  }
}

const kinds = (effects: readonly ClientEffect[]): string[] => effects.map(({ type }) => type).filter(type => type !== 'wake')

describe('a client whose tasks wait', () => {
  it('takes an offer that comes after the round, for the announcement that it answers', () => {
    const { stepAt, askInVain, grant } = openClient()
    expect(kinds(askInVain(1, 0))).toEqual(['watch'])
    expect(stepAt(300, { type: 'offered', ask: 1, offer: offerOf(car) }).some(({ type }) => type === 'decline')).toBe(false)
    expect(stepAt(320, { type: 'woken' })).toContainEqual({ type: 'award', ask: 1, car, slots: 8 })
    expect(kinds(grant(330, car))).toEqual(['lease-opened', 'send'])
  })

  it('takes an offer to an earlier announcement while it looks for cars anew', () => {
    const { stepAt, askInVain } = openClient()
    askInVain(1, 0)
    expect(kinds(stepAt(450, { type: 'woken' }))).toEqual(['discover'])
    stepAt(460, { type: 'offered', ask: 1, offer: offerOf(car) })
    expect(stepAt(480, { type: 'woken' })).toContainEqual({ type: 'award', ask: 1, car, slots: 8 })
  })

  it('waits twice as long each time that nobody offers, but not when a new car is there', () => {
    const { stepAt, askInVain } = openClient()
    askInVain(1, 0)
    expect(kinds(stepAt(449, { type: 'woken' }))).toEqual([])
    expect(kinds(stepAt(450, { type: 'woken' }))).toEqual(['discover'])
    askInVain(2, 450)
    expect(kinds(stepAt(1000, { type: 'woken' }))).toEqual([])
    expect(kinds(stepAt(1010, { type: 'car-seen', ask: 1 }))).toEqual([])
    expect(kinds(stepAt(1020, { type: 'car-seen', ask: 2 }))).toEqual(['discover'])
  })

  it('asks at once when its car says that it leaves, however long the pause was to be', () => {
    const { stepAt, askInVain, grant, state } = openClient()
    askInVain(1, 0)
    grant(100, car)
    for (let index = 0; index < 20; index++) stepAt(110, { type: 'submitted', task: `more ${index}` as TaskId, deadlineMs: 60_000, targetMs: 10 })
    let nowMs = 1000
    for (let ask = 2; state().askPauseMs < CLIENT_DEFAULTS.askPauseMostMs; ask++) {
      expect(kinds(stepAt(nowMs, { type: 'woken' }))).toEqual(['discover'])
      askInVain(ask, nowMs)
      nowMs = state().nextAskMs
    }
    const soonMs = nowMs - 1000
    expect(kinds(stepAt(soonMs, { type: 'woken' }))).toEqual([])
    expect(kinds(stepAt(soonMs, { type: 'leaving', car, secondsLeft: 1 }))).toEqual(['discover'])
  })

  it('blames no car for a connection that ends after it said goodbye', () => {
    const { stepAt, grant } = openClient()
    grant(0, car)
    stepAt(10, { type: 'leaving', car, secondsLeft: 1 })
    expect(stepAt(50, { type: 'car-lost', car, reason: 'the connection ended' })).toContainEqual({
      type: 'lease-closed',
      car,
      lease,
      reason: 'leaving',
      tell: true
    })
    grant(60, other)
    expect(stepAt(70, { type: 'car-lost', car: other, reason: 'silence' })).toContainEqual({
      type: 'lease-closed',
      car: other,
      lease,
      reason: 'lost',
      tell: false
    })
  })
})

describe('a moved task', () => {
  it('is placed on a car whose offers always come after the round', () => {
    const mesh = createVirtualMesh({ random: seededRandom(4), cars: 2, slots: 1, runMs: 60, delayMs: 150, steady: true })
    mesh.submit(task, 60_000)
    mesh.run(1000)
    expect(mesh.log.attempts.get(task)).toEqual([1])
    mesh.at(0, () => mesh.depart([...mesh.client().leases.keys()][0]!, 0))
    mesh.run(5000)
    expect(mesh.log.delivered.get(task)).toBe(1)
  })

  it('is with a car that joins within a few messages, whenever it joins', () => {
    const delayMs = 5
    for (let seed = 0; seed < 50; seed++) {
      const random = seededRandom(seed)
      const mesh = createVirtualMesh({ random, cars: 1, slots: 1, runMs: 60, delayMs, steady: true })
      mesh.submit(task, 120_000)
      mesh.run(50)
      mesh.depart(mesh.living()[0]!, 0)
      const joinedMs = 100 + random() * 60_000
      mesh.run(joinedMs)
      mesh.addCar()
      mesh.run(joinedMs + 5000)
      // A round that is still being listened to is waited for.
      expect((mesh.log.times.get(task) ?? Number.POSITIVE_INFINITY) - joinedMs, `seed ${seed}`).toBeLessThan(150 + 60 + 10 * delayMs + 20)
    }
  })
})
