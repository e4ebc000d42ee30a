import { expect, test } from 'vitest'
import { castDemo } from '../../src/cli/demo/demo-cast.ts'
import { describeSummary, summarizeCar } from '../../src/cli/demo/demo-summary.ts'
import { busiestCar, createTally, median } from '../../src/cli/demo/demo-tally.ts'
import { historyOf } from '../../src/cli/vehicle/car-history.ts'
import type { TaskResult } from '../../src/client/client.ts'
import type { PeerId, TaskId } from '../../src/protocol/ids.ts'
import { readTrace } from '../../src/vehicle/trace/open-trace.ts'

const peer = (name: string) => `12D3KooW${name}` as PeerId
const task = '00'.repeat(16) as TaskId
const cars = ['car-1', 'car-2'].map((name, index) => ({ name, pid: index + 1, peerId: '', addresses: [], dataFolder: `/${name}` }))
const assigned = (key: string, car: string) => ({ type: 'assigned', key, task, attempt: 1, car: peer(car) }) as const
const result = (car: string) => ({ car: peer(car), receipt: new Uint8Array(1) }) as TaskResult
const tallyOfTwo = () => {
  const tally = createTally(cars)
  for (const { name } of cars) tally.meet(name, peer(name))
  return tally
}

test('a page that is moved leaves its car and is counted once', () => {
  const tally = tallyOfTwo()
  tally.hear(assigned('a', 'car-1'), 0)
  tally.hear({ type: 'moved', key: 'a', task, from: peer('car-1'), reason: 'lost' }, 10)
  tally.hear(assigned('a', 'car-2'), 10)
  tally.finish('a', result('car-2'), 30)
  expect([...tally.moved]).toEqual(['a'])
  expect(tally.cars.map(car => [...car.working().keys(), ...car.tookMs()])).toEqual([[], [20]])
})

test('what a car did under a new peer key counts once it is known whose key it is', () => {
  const tally = tallyOfTwo()
  tally.hear(assigned('a', 'car-1'), 0)
  tally.finish('a', result('car-1'), 5)
  tally.hear(assigned('b', 'returned'), 10)
  tally.finish('b', result('returned'), 17)
  tally.hear(assigned('c', 'returned'), 20)
  expect(tally.cars[0]?.tookMs()).toEqual([5])
  tally.meet('car-1', peer('returned'))
  expect([tally.cars[0]?.tookMs(), tally.cars[0]?.receipts(), [...(tally.cars[0]?.working().keys() ?? [])]]).toEqual([[5, 7], 2, ['c']])
})

test('the car whose page began last is the one to take away; one that is gone already is not', () => {
  const tally = tallyOfTwo()
  expect(busiestCar(tally.cars)).toBeUndefined()
  tally.hear(assigned('a', 'car-1'), 5)
  tally.hear(assigned('b', 'car-2'), 9)
  expect(busiestCar(tally.cars)?.car.name).toBe('car-2')
  for (const each of tally.cars.slice(1)) each.killed = true
  expect(busiestCar(tally.cars)?.car.name).toBe('car-1')
})

test('the median of none is told apart from zero', () => {
  expect([median([]), median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([undefined, 2, 2.5])
})

const log = (...lines: readonly object[]) => `${lines.map(line => JSON.stringify(line)).join('\n')}\n`
const done = (attributedMj: number, by: string) => ({ level: 30, type: 'done', energy: { marginalMj: 0, attributedMj, by } })

test('a car’s log tells why it came and went, and what its tasks took, also when it ends in the middle of a line', () => {
  const text = log(
    { type: 'joined', why: 'parked and fit', vehicleTime: '2024-01-01T08:00:00.000Z' },
    { type: 'offered', client: 'x' },
    done(1500, 'measured'),
    done(500, 'estimated'),
    { type: 'left', reason: 'the driver’s door is open', vehicleTime: '2024-01-01T09:30:00.000Z' }
  )
  expect(historyOf(`${text}{"type":"done","ener`)).toEqual({
    turns: [
      { type: 'joined', reason: 'parked and fit', at: '2024-01-01T08:00:00.000Z' },
      { type: 'left', reason: 'the driver’s door is open', at: '2024-01-01T09:30:00.000Z' }
    ],
    tasks: 2,
    energy: { marginalMj: 0, attributedMj: 2000, by: 'estimated' }
  })
  expect(historyOf('').energy.by).toBe('unknown')
  expect(historyOf(log(done(1, 'measured'), done(0, 'unknown'))).energy.by).toBe('unknown')
})

test('the summary says why each car came and went, and ends with the line to paste', () => {
  const tally = tallyOfTwo()
  tally.hear(assigned('a', 'car-1'), 0)
  tally.finish('a', result('car-1'), 1234.5)
  const came = { type: 'joined', why: 'parked and fit, plugged in', vehicleTime: '2024-01-01T02:00:00.000Z' }
  const left = { type: 'left', reason: 'the driver’s door is unlocked; the driver’s door is open', vehicleTime: '2024-01-01T09:30:00.000Z' }
  tally.cars[1]!.killed = true
  const told = [summarizeCar(tally.cars[0]!, historyOf(log(came, done(2500, 'estimated'), left, came))), summarizeCar(tally.cars[1]!, historyOf(log(came)))]
  expect(told).toMatchObject([
    { pages: 1, medianMs: 1235, receipts: 1, fate: 'came back', tasks: 1 },
    { pages: 0, medianMs: null, fate: 'killed' }
  ])
  const summary = { seed: 1, pages: 1, characterErrorRate: 0.0123, cars: told, moved: 0, receipts: 1, output: '/out' }
  const text = describeSummary(summary, 12.34, 'node bin/motorpool.js verify /out/receipts')
  expect(text.split('\n').at(-1)?.trim()).toBe('node bin/motorpool.js verify /out/receipts')
  for (const part of ['1.23 %', '2.5 J estimated', '09:30 left    the driver’s door is unlocked (and 1 more)', 'killed  its process was ended'])
    expect(text).toContain(part)
})

test('a demo has six cars that are plugged in at midnight, the same for the same seed, and traces that can be played', () => {
  for (const seed of [0, 1, 2, 3]) {
    const cast = castDemo(seed)
    expect(cast).toEqual(castDemo(seed))
    expect(cast.scenario.traces).toHaveLength(6)
    for (const [index, trace] of cast.scenario.traces.entries()) {
      const left = readTrace(trace)
        .filter(({ told }) => told.some(({ path, value }) => path === 'Vehicle.Powertrain.Transmission.SelectedGear' && value === 127))
        .map(({ t }) => t)
      const isLeaving = index + 1 === cast.announced || index + 1 === cast.unannounced
      // Who leaves does so within the hour after the morning; who stays, not for hours.
      if (isLeaving) expect(left[0]! - cast.morningS).toBeLessThan(3700)
      else expect(left[0]! - cast.morningS).toBeGreaterThan(3600)
      expect(left[0]!).toBeGreaterThan(cast.morningS)
    }
    expect(castDemo(seed + 100).scenario.traces).not.toEqual(cast.scenario.traces)
  }
})
