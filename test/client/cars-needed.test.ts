import { describe, expect, it } from 'vitest'
import type { TaskId } from '../../src/protocol/ids.ts'
import { seededRandom } from '../seeded-random.ts'
import { createVirtualMesh } from './virtual-mesh.ts'

const NO_WISH = Number.POSITIVE_INFINITY
const names = (count: number, prefix = 'task'): TaskId[] => Array.from({ length: count }, (_, index) => `${prefix}-${index}` as TaskId)
const openMesh = (init: { readonly seed?: number; readonly cars?: number; readonly runMs?: number; readonly delayMs?: number } = {}) =>
  createVirtualMesh({ random: seededRandom(init.seed ?? 1), cars: init.cars ?? 12, slots: 1, runMs: init.runMs ?? 100, delayMs: init.delayMs ?? 5 })

describe('a client with leases', () => {
  it('keeps to one car while that meets all deadlines', () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const mesh = openMesh({ seed })
      mesh.submit('first' as TaskId, 60_000, NO_WISH)
      mesh.run(1000)
      for (const id of names(200)) mesh.submit(id, 60_000, NO_WISH)
      mesh.run(60_000)
      expect(mesh.log.delivered.size).toBe(201)
      expect(mesh.log.mostLeases, `seed ${seed}`).toBe(1)
      expect(mesh.client().asks).toBe(1)
    }
  })

  it('takes as many cars as the deadlines need, and hardly more', () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const mesh = openMesh({ seed })
      mesh.submit('first' as TaskId, 60_000, NO_WISH)
      mesh.run(1000)
      // 20 s of work in 5 s.
      for (const id of names(200)) mesh.submit(id, 5000, NO_WISH)
      mesh.run(10_000)
      expect(mesh.log.failed.size, `seed ${seed}`).toBe(0)
      expect(mesh.log.mostLeases).toBeGreaterThanOrEqual(4)
      expect(mesh.log.mostLeases).toBeLessThanOrEqual(8)
    }
  })

  it('takes many cars for a long job whose caller named no deadline, and one for a few short tasks', () => {
    const long = openMesh()
    for (const id of names(300)) long.submit(id, 60_000)
    long.run(60_000)
    expect(long.log.mostLeases).toBe(12)
    const short = openMesh({ runMs: 2 })
    short.submit('first' as TaskId, 60_000)
    short.run(1000)
    for (const id of names(50)) short.submit(id, 60_000)
    short.run(60_000)
    expect(short.log.delivered.size).toBe(51)
    expect(short.log.mostLeases).toBe(1)
  })

  it('takes more and more cars while its queue never ends, though each task is short', () => {
    const mesh = openMesh({ runMs: 10 })
    let count = 0
    const fill = (): void => {
      while (mesh.client().waiting.length < 30) mesh.submit(`task-${count++}` as TaskId, 60_000)
      if (mesh.now() < 6000) mesh.at(5, fill)
    }
    mesh.at(0, fill)
    mesh.run(60_000)
    expect(mesh.log.mostLeases).toBe(12)
  })

  it('replaces a car that leaves or is silent, also when only deadlines count', () => {
    const mesh = openMesh({ cars: 4 })
    for (const id of names(50)) mesh.submit(id, 60_000, NO_WISH)
    mesh.run(1500)
    for (const car of mesh.client().leases.keys()) mesh.kill(car)
    mesh.run(60_000)
    expect(mesh.log.delivered.size).toBe(50)
  })

  it('gives leases back when it has had no work for a while', () => {
    const mesh = openMesh()
    mesh.submit('task' as TaskId, 60_000)
    mesh.run(5000)
    expect(mesh.client().leases.size).toBe(1)
    mesh.run(20_000)
    expect(mesh.client().leases.size).toBe(0)
    expect(mesh.leasesHeld()).toBe(0)
  })
})

describe('over a line of 100 ms', () => {
  /** One way 50 ms, exactly. */
  const openLine = () => {
    const mesh = createVirtualMesh({ random: seededRandom(1), cars: 3, slots: 1, runMs: 10, delayMs: 50, steady: true })
    mesh.submit('cold' as TaskId, 60_000)
    return mesh
  }

  it('brings the first result within four round trips of the announcement, and the wait for offers', () => {
    const mesh = openLine()
    mesh.run(10_000)
    // Announcement and offer, award and grant, task and result; 20 ms for better offers.
    expect(mesh.log.times.get('cold' as TaskId)! - mesh.log.announcedMs).toBeLessThanOrEqual(3 * 100 + 20 + 10 + 1)
  })

  it('brings a result over an open lease in one round trip and its run, the first after a pause too', () => {
    const mesh = openLine()
    for (const [index, atMs] of [3000, 4000, 9000].entries()) {
      const id = `warm-${index}` as TaskId
      mesh.at(atMs - mesh.now(), () => mesh.submit(id, 60_000))
      mesh.run(atMs + 900)
      expect(mesh.log.times.get(id)! - atMs).toBeLessThanOrEqual(1.1 * 100 + 10)
    }
    expect(mesh.client().asks).toBe(1)
  })
})
