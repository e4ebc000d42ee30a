import { expect, test } from 'vitest'
import { type CarEffect, type CarStepEvent, type CarWork, expectedS, initialCarWork } from '../../src/car/car-state.ts'
import { carStep } from '../../src/car/car-step.ts'
import type { LeaseId, ModelCid, PeerId, TaskId } from '../../src/protocol/ids.ts'

const model = 'model' as ModelCid
const client = 'client' as PeerId
const lease = 'lease' as LeaseId

function drive(...events: readonly CarStepEvent[]): { readonly work: CarWork; readonly effects: readonly CarEffect[] } {
  let work = initialCarWork({ slots: 1 })
  const effects: CarEffect[] = []
  for (const event of [{ type: 'parked', models: [model] } as const, ...events]) {
    const [next, told] = carStep(work, event, 0)
    work = next
    effects.push(...told)
  }
  return { work, effects }
}
const announced = (ask: string, stay?: number | null): CarStepEvent => ({ type: 'announced', ask, client, model, expiresMs: 1000, stay })
const awarded: CarStepEvent = { type: 'awarded', lease, client, model, slots: 4 }
const task = (name: string, stay?: number | null): CarStepEvent => ({ type: 'task', lease, client, task: name as TaskId, attempt: 1, deadlineMs: 1000, stay })

test('offers tell the odds of staying in steps, and nothing where nothing is known', () => {
  const told = [0.995, 0.9999, null, undefined].map(stay => drive(announced('a', stay)).effects.find(({ type }) => type === 'offer'))
  expect(told.map(offer => (offer?.type === 'offer' ? offer.stay : 'no offer'))).toEqual([990_000, 990_000, null, null])
})

test('a car that may leave before the work would be done leaves it to others', () => {
  expect(drive(announced('a', 0.7)).effects).toEqual([])
  const { effects } = drive(awarded, task('one', 0.7))
  expect(effects.find(({ type }) => type === 'fail')).toMatchObject({ code: 'ERR_LEAVING', retryable: true })
  expect(effects.some(({ type }) => type === 'run')).toBe(false)
})

test('safe tasks earn the risk of one at 0.9, anew in each stay', () => {
  const safe = Array.from({ length: 30 }, (_, index): CarStepEvent[] => [
    task(`safe ${index}`, 1),
    { type: 'ran', lease, task: `safe ${index}` as TaskId, attempt: 1, ranUs: 1 }
  ]).flat()
  const offers = (...events: CarStepEvent[]) => drive(awarded, ...safe, ...events).effects.filter(({ type }) => type === 'offer').length
  expect(offers(announced('a', 0.9))).toBe(1)
  expect(offers(task('risky', 0.9), announced('a', 0.9))).toBe(0)
  expect(offers({ type: 'parked', models: [model] }, announced('a', 0.9))).toBe(0)
})

test('the next task is expected after those that are here', () => {
  expect(expectedS(drive().work, model)).toBeNull()
  const { work } = drive(awarded, task('one'), { type: 'ran', lease, task: 'one' as TaskId, attempt: 1, ranUs: 2_000_000 })
  expect(expectedS(work, model)).toBe(2)
  const [busy] = carStep(work, task('two'), 0)
  expect(expectedS(busy, model)).toBe(4)
})
