import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type EnergyReading, openEnergyBook, stepEnergyBook } from '../../src/energy/energy-book.ts'
import { shareInterval, type TaskEnergy } from '../../src/energy/task-energy.ts'

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

describe('an interval', () => {
  const tasks = fc.uniqueArray(fc.record({ id: fc.string(), cpuMs: fc.option(fc.integer({ min: 0, max: 1e6 })) }), { selector: ({ id }) => id, maxLength: 20 })

  test('is shared without loss: attributed energy and rest are the meter’s, in whole millijoules, and marginal is never more', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e12 }),
        fc.integer({ min: 0, max: 1e8 }),
        fc.double({ min: 0, max: 5000, noNaN: true }),
        tasks,
        (meterMj, lengthMs, idleWatts, list) => {
          const shared = shareInterval({ meterMj, lengthMs, idleWatts, tasks: list })
          expect(sum(shared.tasks.map(({ attributedMj }) => attributedMj)) + shared.restMj).toBe(meterMj)
          for (const { marginalMj, attributedMj } of shared.tasks) {
            expect(Number.isSafeInteger(marginalMj) && marginalMj >= 0 && attributedMj >= marginalMj).toBe(true)
          }
        }
      )
    )
  })

  test('goes by CPU time above idle, and in equal parts below', () => {
    const shared = shareInterval({
      meterMj: 11_000,
      lengthMs: 100,
      idleWatts: 20,
      tasks: [
        { id: 'a', cpuMs: 200 },
        { id: 'b', cpuMs: 100 }
      ]
    })
    expect(shared.tasks).toEqual([
      { id: 'a', marginalMj: 6000, attributedMj: 7000 },
      { id: 'b', marginalMj: 3000, attributedMj: 4000 }
    ])
  })

  test('in which one CPU time isn’t known goes in equal parts', () => {
    const shared = shareInterval({
      meterMj: 1001,
      lengthMs: 0,
      idleWatts: 20,
      tasks: [
        { id: 'a', cpuMs: 200 },
        { id: 'b', cpuMs: null }
      ]
    })
    expect(shared.tasks.map(({ marginalMj }) => marginalMj)).toEqual([501, 500])
  })
})

describe('the book', () => {
  const steps = fc.array(
    fc.record({
      drawnMj: fc.integer({ min: 0, max: 1e7 }),
      waitMs: fc.integer({ min: 0, max: 1e5 }),
      task: fc.integer({ min: 0, max: 6 }),
      isReadable: fc.boolean(),
      cpu: fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 1000 })))
    }),
    { maxLength: 60 }
  )

  const play = (list: readonly { drawnMj: number; waitMs: number; task: number; isReadable: boolean; cpu: [number, number][] }[], alwaysReadable: boolean) => {
    let meterMj = 0
    let atMs = 0
    const cpu = new Map<string, number>()
    const ended: TaskEnergy[] = []
    const reading = (isReadable: boolean): EnergyReading => ({ atMs, meterMj: isReadable ? meterMj : null, by: 'measured', idleWatts: 30, cpuMs: new Map(cpu) })
    let book = openEnergyBook(reading(true))
    for (const { drawnMj, waitMs, task, isReadable, cpu: used } of list) {
      meterMj += drawnMj
      atMs += waitMs
      for (const [id, ms] of used) cpu.set(String(id), (cpu.get(String(id)) ?? 0) + ms)
      const id = String(task)
      const [next, done] = stepEnergyBook(book, reading(alwaysReadable || isReadable), book.running.has(id) ? { end: id } : { begin: id })
      book = next
      if (done !== null) ended.push(done)
    }
    return { book, ended, meterMj }
  }

  test('adds up: what ended, what runs and the rest are the meter’s total', () => {
    fc.assert(
      fc.property(steps, list => {
        const { book, ended, meterMj } = play(list, true)
        expect(sum([...ended, ...book.running.values()].map(({ attributedMj }) => attributedMj)) + book.restMj).toBe(meterMj)
        expect(ended.every(({ by }) => by === 'measured')).toBe(true)
      })
    )
  })

  test('never charges more than the meter told, and says unknown with figures of 0 where it couldn’t be read', () => {
    fc.assert(
      fc.property(steps, list => {
        const { book, ended, meterMj } = play(list, false)
        const all = [...ended, ...book.running.values()]
        expect(sum(all.map(({ attributedMj }) => attributedMj)) + book.restMj).toBeLessThanOrEqual(meterMj)
        for (const { by, marginalMj, attributedMj } of all) expect(by !== 'unknown' || marginalMj + attributedMj === 0).toBe(true)
      })
    )
  })

  test('one estimated interval makes a task’s figure an estimate', () => {
    const reading = (atMs: number, meterMj: number, by: 'measured' | 'estimated'): EnergyReading => ({ atMs, meterMj, by, idleWatts: 10 })
    const [begun] = stepEnergyBook(openEnergyBook(reading(0, 0, 'measured')), reading(0, 0, 'measured'), { begin: 'a' })
    const [between] = stepEnergyBook(begun, reading(100, 5000, 'estimated'))
    const [, ended] = stepEnergyBook(between, reading(200, 9000, 'measured'), { end: 'a' })
    expect(ended).toEqual({ marginalMj: 7000, attributedMj: 9000, by: 'estimated' })
  })
})
