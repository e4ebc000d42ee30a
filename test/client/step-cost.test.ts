import { expect, test } from 'vitest'
import { type ClientEffect, type ClientState, type ClientStepEvent, initialClientState } from '../../src/client/steps/client-state.ts'
import { clientStep } from '../../src/client/steps/client-step.ts'
import type { LeaseId, PeerId, TaskId } from '../../src/protocol/ids.ts'

const FEW = 8
const MANY = 2000
const TASKS = 500
const ROUNDS = 7

/** A client whose tasks one car ends and that submits a new one for each, with so many waiting; runs some, and tells the ms that took. */
function startClient(waiting: number): (tasks: number) => number {
  const car = 'car' as PeerId
  const sent: Extract<ClientEffect, { type: 'send' }>[] = []
  let state: ClientState = initialClientState({ ceiling: 0, unit: 'XXX' })
  let nowMs = 0
  let count = 0
  const step = (event: ClientStepEvent): void => {
    const [next, effects] = clientStep(state, event, nowMs)
    state = next
    for (const effect of effects) if (effect.type === 'send') sent.push(effect)
  }
  const submit = (): void => step({ type: 'submitted', task: `${count++}` as TaskId, deadlineMs: nowMs + 60_000 })
  submit()
  step({ type: 'granted', car, lease: 'lease' as LeaseId, slots: 4, parallel: 2 })
  while (state.waiting.length < waiting) submit()
  return tasks => {
    const startedMs = performance.now()
    for (let at = 0; at < tasks; at++) {
      const effect = sent.shift()
      if (effect === undefined) throw new Error('the car has nothing to do')
      nowMs += 0.1
      const named = { car, task: effect.task, attempt: effect.attempt }
      step({ type: 'arrived', ...named })
      step({ type: 'result', ...named })
      submit()
    }
    return performance.now() - startedMs
  }
}

test('a step does not look through the tasks that wait', () => {
  const [few, many] = [startClient(FEW), startClient(MANY)]
  // The best of several rounds, for what else the machine does only ever adds.
  const best = { few: Number.POSITIVE_INFINITY, many: Number.POSITIVE_INFINITY }
  for (let round = 0; round < ROUNDS; round++) {
    best.few = Math.min(best.few, few(TASKS))
    best.many = Math.min(best.many, many(TASKS))
  }
  // Looking through all tasks at every step makes it fifty times as much; copying the list of them, six times.
  expect(best.many / best.few).toBeLessThan(20)
})
