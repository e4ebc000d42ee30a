import { expect, test } from 'vitest'
import { type ClientEffect, type ClientStepEvent, initialClientState } from '../../src/client/steps/client-state.ts'
import { clientStep } from '../../src/client/steps/client-step.ts'
import type { LeaseId, PeerId, TaskId } from '../../src/protocol/ids.ts'

const car = 'car' as PeerId
const other = 'other' as PeerId

test('a car that takes no more because it may leave finishes what it has, and gets nothing new', () => {
  let state = initialClientState({ ceiling: 0, unit: 'XXX' })
  const step = (event: ClientStepEvent): readonly ClientEffect[] => {
    const [next, effects] = clientStep(state, event, 0)
    state = next
    return effects
  }
  const sentTo = (effects: readonly ClientEffect[]) => effects.flatMap(effect => (effect.type === 'send' ? [[effect.task, effect.car]] : []))
  for (const task of ['one', 'two'] as TaskId[]) step({ type: 'submitted', task, deadlineMs: 60_000 })
  expect(sentTo(step({ type: 'granted', car, lease: 'lease' as LeaseId, slots: 4, parallel: 1 }))).toEqual([
    ['one', car],
    ['two', car]
  ])

  const refused = step({ type: 'failed', car, task: 'two' as TaskId, attempt: 1, code: 'ERR_LEAVING', message: 'it may leave', retryable: true })
  expect(refused.map(({ type }) => type)).toContain('moved')
  expect(refused.some(({ type }) => type === 'lease-closed')).toBe(false)
  expect(sentTo(step({ type: 'submitted', task: 'three' as TaskId, deadlineMs: 60_000 }))).toEqual([])
  expect(state.leases.get(car)?.flights.has('one' as TaskId)).toBe(true)

  expect(sentTo(step({ type: 'granted', car: other, lease: 'another' as LeaseId, slots: 4, parallel: 1 }))).toEqual([
    ['two', other],
    ['three', other]
  ])
  const ended = step({ type: 'result', car, task: 'one' as TaskId, attempt: 1 })
  expect(ended.map(({ type }) => type)).toEqual(expect.arrayContaining(['deliver', 'lease-closed']))
  expect(state.leases.has(car)).toBe(false)
})
