import { expect, test } from 'vitest'
import { createMemoryBudget } from '../../../src/mesh/bulk/memory-budget.ts'

const settled = async (promise: Promise<unknown>) => {
  let done = false
  promise.then(
    () => {
      done = true
    },
    () => {}
  )
  await new Promise(resolve => setImmediate(resolve))
  return done
}

test('claims beyond the budget wait in turn', async () => {
  const budget = createMemoryBudget(10)
  const release = await budget.reserve(6)
  const second = budget.reserve(6)
  const third = budget.reserve(1)
  expect([await settled(second), await settled(third)]).toEqual([false, false])
  release()
  release()
  const releaseSecond = await second
  const releaseThird = await third
  const fourth = budget.reserve(4)
  expect(await settled(fourth)).toBe(false)
  releaseThird()
  expect(await settled(fourth)).toBe(true)
  releaseSecond()
})

test('a claim above the whole budget is met alone', async () => {
  const budget = createMemoryBudget(10)
  const release = await budget.reserve(1)
  const huge = budget.reserve(100)
  expect(await settled(huge)).toBe(false)
  release()
  expect(await settled(huge)).toBe(true)
})

test('an aborted claim leaves the queue to the next', async () => {
  const budget = createMemoryBudget(10)
  const release = await budget.reserve(10)
  const controller = new AbortController()
  const aborted = budget.reserve(10, controller.signal)
  const next = budget.reserve(10)
  controller.abort()
  await expect(aborted).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  release()
  expect(await settled(next)).toBe(true)
})
