import { expect, test } from 'vitest'
import { describeSummary, summarizeCars } from '../../src/cli/demo/demo-summary.ts'
import { busiestCar, createTally, median } from '../../src/cli/demo/demo-tally.ts'
import type { TaskResult } from '../../src/client/client.ts'
import type { PeerId, TaskId } from '../../src/protocol/ids.ts'

const peer = (name: string) => `12D3KooW${name}` as PeerId
const task = '00'.repeat(16) as TaskId
const cars = ['car-1', 'car-2'].map((name, index) => ({ name, pid: index + 1, peerId: peer(name), addresses: [], dataFolder: `/${name}` }))
const assigned = (key: string, car: string) => ({ type: 'assigned', key, task, attempt: 1, car: peer(car) }) as const
const result = (car: string) => ({ car: peer(car), receipt: new Uint8Array(1) }) as TaskResult

test('a page that is moved leaves its car and is counted once', () => {
  const tally = createTally(cars)
  tally.hear(assigned('a', 'car-1'), 0)
  tally.hear({ type: 'moved', key: 'a', task, from: peer('car-1'), reason: 'lost' }, 10)
  tally.hear(assigned('a', 'car-2'), 10)
  tally.finish('a', result('car-2'), 30)
  expect([...tally.moved]).toEqual(['a'])
  expect(tally.cars.map(car => [...car.working.keys(), ...car.tookMs])).toEqual([[], [20]])
})

test('the car whose page began last is the one to take away; one that is gone already is not', () => {
  const tally = createTally(cars)
  expect(busiestCar(tally.cars)).toBeUndefined()
  tally.hear(assigned('a', 'car-1'), 5)
  tally.hear(assigned('b', 'car-2'), 9)
  expect(busiestCar(tally.cars)?.car.name).toBe('car-2')
  for (const each of tally.cars.slice(1)) each.fate = 'killed'
  expect(busiestCar(tally.cars)?.car.name).toBe('car-1')
})

test('the median of none is told apart from zero', () => {
  expect([median([]), median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([undefined, 2, 2.5])
})

test('the summary ends with the line to paste', () => {
  const tally = createTally(cars)
  tally.hear(assigned('a', 'car-1'), 0)
  tally.finish('a', result('car-1'), 1234.5)
  const summary = { pages: 1, characterErrorRate: 0.0123, cars: summarizeCars(tally.cars), moved: 0, receipts: 1, output: '/out' }
  expect(summary.cars).toMatchObject([
    { pages: 1, medianMs: 1235, receipts: 1 },
    { pages: 0, medianMs: null }
  ])
  const text = describeSummary(summary, 12.34, 'node bin/motorpool.js verify /out/receipts')
  expect(text.split('\n').at(-1)?.trim()).toBe('node bin/motorpool.js verify /out/receipts')
  expect(text).toContain('1.23 %')
})
