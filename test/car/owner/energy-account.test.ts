import { expect, test } from 'vitest'
import { createEnergyAccount } from '../../../src/car/owner/energy-account.ts'
import type { EnergyProvenance } from '../../../src/energy/task-energy.ts'
import { cidOf } from '../../../src/protocol/ids.ts'

const MODEL = cidOf(Uint8Array.of(1))
const OTHER = cidOf(Uint8Array.of(2))

/** An account over a meter and a clock that the test moves; watts times milliseconds are millijoules. */
function open(by: EnergyProvenance = 'measured', idleWatts: number | null = 10) {
  let [nowMs, totalMj] = [0, 0]
  let isReadable = true
  const cpuMs = new Map([
    [MODEL, 0],
    [OTHER, 0]
  ])
  const account = createEnergyAccount({
    meter: { name: 'rapl', provenance: by, readMj: () => (isReadable ? totalMj : null), stop: () => undefined },
    nowMs: () => nowMs,
    cpuMsOf: model => cpuMs.get(model) ?? null,
    ...(idleWatts === null ? {} : { idleWatts })
  })
  return {
    account,
    pass: (ms: number, watts: number, cpu: readonly number[] = []) => {
      nowMs += ms
      totalMj += ms * watts
      cpuMs.set(MODEL, (cpuMs.get(MODEL) ?? 0) + (cpu[0] ?? 0))
      cpuMs.set(OTHER, (cpuMs.get(OTHER) ?? 0) + (cpu[1] ?? 0))
    },
    breakMeter: (broken: boolean) => {
      isReadable = !broken
    }
  }
}

test('charges a task with what was drawn while it ran, its idle share apart', () => {
  const { account, pass } = open()
  pass(1000, 10)
  account.begin('a', MODEL, 1)
  pass(100, 50, [100])
  expect(account.end('a')).toEqual({ marginalMj: 4000, attributedMj: 5000, by: 'measured' })
  expect(account.totals()).toEqual({ marginalMj: 4000, attributedMj: 5000, restMj: 10_000, tasks: 1, by: 'measured', meter: 'rapl' })
  expect(account.expected(MODEL)).toEqual({ marginalMj: 4000, attributedMj: 5000 })
  expect(account.expected(OTHER)).toBeNull()
})

test('a task that waits behind another of its model begins when that ends', () => {
  const { account, pass } = open()
  account.begin('a', MODEL, 1)
  account.begin('b', MODEL, 1)
  pass(100, 30, [100])
  expect(account.end('a').attributedMj).toBe(3000)
  pass(200, 30, [200])
  expect(account.end('b').attributedMj).toBe(6000)
})

test('shares by CPU time between the workers of two models, and loses nothing', () => {
  const { account, pass } = open()
  account.begin('a', MODEL, 1)
  account.begin('b', OTHER, 1)
  pass(100, 50, [75, 25])
  const first = account.end('a')
  const second = account.end('b')
  expect(first.marginalMj).toBe(3000)
  expect(second.marginalMj).toBe(1000)
  expect(first.attributedMj + second.attributedMj).toBe(5000)
})

test('short tasks share readings, and together are charged with all that was drawn', () => {
  const { account, pass } = open()
  for (let task = 0; task < 1000; task++) {
    account.begin(`${task}`, MODEL, 1)
    pass(1, 40, [1])
    account.end(`${task}`)
  }
  pass(10, 0)
  account.watts()
  const { attributedMj, restMj } = account.totals()
  expect(attributedMj + restMj).toBe(40_000)
  expect(attributedMj).toBeGreaterThan(35_000)
})

test('a task whose meter can’t be read is unknown, and so is the sum', () => {
  const { account, pass, breakMeter } = open()
  account.begin('a', MODEL, 1)
  pass(100, 50)
  breakMeter(true)
  expect(account.end('a')).toEqual({ marginalMj: 0, attributedMj: 0, by: 'unknown' })
  expect(account.drawnMj()).toBeNull()
  breakMeter(false)
  pass(100, 50)
  account.begin('b', MODEL, 1)
  pass(100, 50, [100])
  expect(account.end('b').by).toBe('measured')
  expect(account.totals().by).toBe('unknown')
})

test('where no meter tells, tasks are counted, nothing is known of them, and nothing is read', () => {
  const unread = (): never => {
    throw new Error('was read')
  }
  const account = createEnergyAccount({
    meter: { name: 'none', provenance: 'unknown', readMj: () => null, stop: () => undefined },
    nowMs: () => performance.now(),
    cpuMsOf: unread
  })
  for (const task of ['a', 'b']) account.begin(task, MODEL, 1)
  for (const task of ['a', 'b']) expect(account.end(task)).toEqual({ marginalMj: 0, attributedMj: 0, by: 'unknown' })
  expect(account.totals()).toEqual({ marginalMj: 0, attributedMj: 0, restMj: 0, tasks: 2, by: 'unknown', meter: 'none' })
  expect([account.drawnMj(), account.watts(), account.expected(MODEL)]).toEqual([null, null, null])
})

test('learns what the computer draws without tasks', () => {
  const { account, pass } = open('estimated', null)
  for (let second = 0; second < 5; second++) {
    pass(1000, 20)
    account.watts()
  }
  account.begin('a', MODEL, 1)
  pass(100, 50, [100])
  expect(account.end('a')).toEqual({ marginalMj: 3000, attributedMj: 5000, by: 'estimated' })
})

test('tells what was drawn since it was asked, and at what power', () => {
  const { account, pass } = open()
  pass(2000, 15)
  expect(account.drawnMj()).toBe(30_000)
  expect(account.watts()).toBe(15)
  pass(1000, 25)
  expect(account.drawnMj()).toBe(25_000)
})
