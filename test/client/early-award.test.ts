import { expect, it } from 'vitest'
import { type ClientEffect, type ClientStepEvent, initialClientState } from '../../src/client/steps/client-state.ts'
import { clientStep } from '../../src/client/steps/client-step.ts'
import type { Offer } from '../../src/protocol/control.ts'
import type { PeerId, TaskId } from '../../src/protocol/ids.ts'

const offer: Offer = {
  v: 1,
  task: new Uint8Array(16),
  round: 0,
  model: new Uint8Array(36),
  car: new Uint8Array(38),
  client: new Uint8Array(38),
  slots: 4,
  parallel: 1,
  queued: 0,
  completionUs: 1000,
  runUs: 1000,
  price: { perTask: 0, perItem: 0, unit: 'XXX' } as Offer['price'],
  stay: null,
  energyMj: null,
  issued: 0,
  expires: 30
}

/** When a client that wants one car awards it, ms, if offers come at these moments. */
function awardedAtMs(offersAtMs: readonly number[]): number {
  let state = initialClientState({ ceiling: 0, unit: 'XXX' })
  const step = (event: ClientStepEvent, nowMs: number): readonly ClientEffect[] => {
    const [next, effects] = clientStep(state, event, nowMs)
    state = next
    return effects
  }
  step({ type: 'submitted', task: 'task' as TaskId, deadlineMs: 60_000 }, 0)
  step({ type: 'woken' }, state.nextAskMs)
  const startMs = state.nextAskMs
  step({ type: 'discovered', ask: 1, idleCars: 20 }, startMs)
  step({ type: 'announced', ask: 1, round: 0, recipients: 4 }, startMs)
  const isAward = ({ type }: ClientEffect): boolean => type === 'award'
  for (let afterMs = 0; afterMs < 100; afterMs++) {
    const offers = offersAtMs.flatMap((atMs, index) =>
      atMs === afterMs
        ? step({ type: 'offered', ask: 1, offer: { car: `car ${index}` as PeerId, offer, completionRate: 1, draw: 0.5 } }, startMs + afterMs)
        : []
    )
    if (offers.some(isAward) || step({ type: 'woken' }, startMs + afterMs).some(isAward)) return afterMs
  }
  return Number.NaN
}

it('awards as soon as it has a choice, and waits a little for one', () => {
  expect(awardedAtMs([3, 5, 8, 9])).toBe(8)
  expect(awardedAtMs([3, 5, 40])).toBe(3 + initialClientState({ ceiling: 0, unit: 'XXX' }).settings.awardWaitMs)
})
