import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TaskId } from '../../src/protocol/ids.ts'
import { seededRandom as seeded } from '../seeded-random.ts'
import { createVirtualMesh } from './virtual-mesh.ts'

describe('client and car steps together', () => {
  it('end every task exactly once, whatever the cars do', () => {
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.integer(),
          cars: fc.integer({ min: 0, max: 12 }),
          tasks: fc.integer({ min: 1, max: 60 }),
          slots: fc.constantFrom(1 as const, 2 as const, 4 as const),
          strikes: fc.integer({ min: 0, max: 15 }),
          gathersMs: fc.constantFrom(0, 0, 1, 20)
        }),
        ({ seed, cars, tasks, slots, strikes, gathersMs }) => {
          const random = seeded(seed)
          const mesh = createVirtualMesh({ random, cars, slots, runMs: 300, delayMs: 5, gathersMs })
          const ids = Array.from({ length: tasks }, (_, index) => `task-${index}` as TaskId)
          const cancelled = new Set<TaskId>()
          for (const id of ids) mesh.at(random() * 5000, () => mesh.submit(id, 20_000))
          for (let strike = 0; strike < strikes; strike++) {
            mesh.at(random() * 8000, () => {
              const living = mesh.living()
              const victim = living[Math.floor(random() * living.length)]
              const kind = random()
              if (victim !== undefined && kind < 0.4) mesh.kill(victim)
              else if (victim !== undefined && kind < 0.8) mesh.depart(victim, random() < 0.5 ? 0 : random() * 2)
              else mesh.addCar()
            })
          }
          const unlucky = ids[0]
          if (unlucky !== undefined && random() < 0.3) {
            mesh.at(6000, () => {
              if (mesh.log.delivered.has(unlucky) || mesh.log.failed.has(unlucky)) return
              cancelled.add(unlucky)
              mesh.cancel(unlucky)
            })
          }
          mesh.run(60_000)
          for (const id of ids) {
            const endings = (mesh.log.delivered.get(id) ?? 0) + (mesh.log.failed.has(id) ? 1 : 0)
            expect(endings, id).toBe(cancelled.has(id) ? 0 : 1)
            const attempts = mesh.log.attempts.get(id) ?? []
            expect(attempts).toEqual(attempts.map((_, index) => index + 1))
          }
          expect(mesh.client().waiting.length).toBe(0)
          expect(mesh.log.busiest).toBeLessThanOrEqual(1)
        }
      ),
      { numRuns: 150 }
    )
  })

  it('deliver everything in time when some cars stay', () => {
    const mesh = createVirtualMesh({ random: seeded(7), cars: 8, slots: 1, runMs: 300, delayMs: 5 })
    const ids = Array.from({ length: 100 }, (_, index) => `task-${index}` as TaskId)
    for (const id of ids) mesh.submit(id, 60_000)
    mesh.at(1000, () => mesh.kill(mesh.living()[0]!))
    mesh.at(1500, () => mesh.depart(mesh.living()[0]!, 1))
    mesh.run(30_000)
    expect(mesh.log.delivered.size).toBe(100)
    expect(mesh.log.moved).toBeGreaterThan(0)
  })

  it('ask again when the first cars are lost', () => {
    const mesh = createVirtualMesh({ random: seeded(3), cars: 1, slots: 1, runMs: 300, delayMs: 5 })
    mesh.submit('task' as TaskId, 60_000)
    mesh.at(100, () => mesh.kill(mesh.living()[0]!))
    mesh.at(3000, () => mesh.addCar())
    mesh.run(60_000)
    expect(mesh.log.delivered.get('task' as TaskId)).toBe(1)
  })

  it('fail with ERR_NO_CAR at the deadline when nobody is there', () => {
    const mesh = createVirtualMesh({ random: seeded(3), cars: 0, slots: 1, runMs: 300, delayMs: 5 })
    mesh.submit('task' as TaskId, 5000)
    mesh.run(4999)
    expect(mesh.log.failed.size).toBe(0)
    mesh.run(5100)
    expect(mesh.log.failed.get('task' as TaskId)).toBe('ERR_NO_CAR')
  })

  it('end the same tasks at about the same time when events that come together make one step', () => {
    fc.assert(
      fc.property(fc.record({ seed: fc.integer(), tasks: fc.integer({ min: 1, max: 200 }), slots: fc.constantFrom(1 as const, 4 as const) }), load => {
        const endings = [0, 1].map(gathersMs => {
          const mesh = createVirtualMesh({ random: seeded(load.seed), cars: 3, slots: load.slots, runMs: 20, delayMs: 5, steady: true, gathersMs })
          for (let index = 0; index < load.tasks; index++) mesh.submit(`task-${index}` as TaskId, 60_000)
          // Too soon for a car to do them.
          for (let index = 0; index < 5; index++) mesh.submit(`late-${index}` as TaskId, 5)
          mesh.run(60_000)
          return { delivered: new Set(mesh.log.delivered.keys()), failed: new Set(mesh.log.failed.keys()), lastMs: Math.max(...mesh.log.times.values()) }
        })
        const [single, together] = endings
        expect(together?.delivered).toEqual(single?.delivered)
        expect(together?.failed).toEqual(single?.failed)
        expect(together!.lastMs).toBeLessThanOrEqual(single!.lastMs * 1.1 + 20)
      }),
      { numRuns: 20 }
    )
  })

  it('need at most a few announcements for a long job', () => {
    const mesh = createVirtualMesh({ random: seeded(9), cars: 10, slots: 2, runMs: 50, delayMs: 2 })
    for (let index = 0; index < 500; index++) mesh.submit(`task-${index}` as TaskId, 60_000)
    mesh.run(20_000)
    expect(mesh.log.delivered.size).toBe(500)
    expect(mesh.client().asks).toBeLessThan(8)
  })
})
