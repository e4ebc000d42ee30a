import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Tensor } from '../../src/protocol/tensor.ts'
import { sleepyModel } from '../fixtures/models/make.ts'
import { type LocalMesh, openLocalMesh } from '../local-mesh.ts'

const QUEUED = 1000
const SINGLES = 40
const x: Tensor = { type: 'float32', dims: [1], data: new Uint8Array(4) }
let mesh: LocalMesh

beforeEach(() => {
  mesh = openLocalMesh()
})
afterEach(() => mesh.close())

it('a client gets a lease of a car that another keeps busy with 1,000 tasks, and waits there for the rest of one run', {
  timeout: 120_000
}, async () => {
  await mesh.addModel('sleepy', sleepyModel(10))
  let done = 0
  const car = await mesh.addCar({
    onEvent: event => {
      if (event.type === 'done') done++
    }
  })
  const [many, single] = [await mesh.addClient(), await mesh.addClient()]
  const stop = new AbortController()
  const queue = Array.from({ length: QUEUED }, () => many.run('sleepy', { x }, { signal: stop.signal, deadlineMs: 600_000 }).catch(() => undefined))
  await expect.poll(() => done, { timeout: 30_000 }).toBeGreaterThan(3)
  await single.run('sleepy', { x })
  const queuedUs: number[] = []
  const ranUs: number[] = []
  const before = done
  for (let sent = 0; sent < SINGLES; sent++) {
    const { times } = await single.run('sleepy', { x })
    queuedUs.push(times.queuedUs)
    ranUs.push(times.ranUs)
  }
  // The other client goes on meanwhile.
  expect(done - before - SINGLES).toBeGreaterThan(SINGLES / 2)
  stop.abort()
  await Promise.all(queue)
  expect(car.car?.status().failed).toBe(0)
  // By the car's own clock: the rest of the run that is under way; with one more in the worker it would be 1.5.
  expect(median(queuedUs) / median(ranUs)).toBeLessThan(1.25)
})

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1] ?? Number.NaN
}
