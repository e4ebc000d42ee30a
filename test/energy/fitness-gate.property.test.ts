import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Fitness } from '../../src/energy/fitness.ts'
import { CLOSED_GATE, type FitnessGate, stepFitnessGate } from '../../src/energy/fitness-gate.ts'

const FIT: Fitness = { fit: true }
const UNFIT: Fitness = { fit: false, reasons: [{ code: 'moving', text: 'the car moves', planned: false }] }

/** Joins and leaves over looks at given times. */
function run(looks: readonly { readonly atMs: number; readonly fit: boolean }[]) {
  let gate: FitnessGate = CLOSED_GATE
  const changes: { atMs: number; change: 'join' | 'leave'; look: number }[] = []
  for (const [look, { atMs, fit }] of looks.entries()) {
    const [next, change] = stepFitnessGate(gate, fit ? FIT : UNFIT, atMs)
    gate = next
    if (change !== null) changes.push({ atMs, change, look })
    expect(gate.joined && !fit).toBe(false)
  }
  return changes
}

const looks = fc
  .array(fc.record({ waitMs: fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 0, max: 90_000 })), fit: fc.boolean() }), { maxLength: 400 })
  .map(steps => {
    let atMs = 0
    return steps.map(({ waitMs, fit }) => {
      atMs += waitMs
      return { atMs, fit }
    })
  })

test('joins at most once a minute, however it flickers, each time after half a minute of being fit, and alternates with leaving', () => {
  fc.assert(
    fc.property(looks, seen => {
      const changes = run(seen)
      const joins = changes.filter(({ change }) => change === 'join')
      for (let index = 1; index < joins.length; index++) expect(joins[index]!.atMs - joins[index - 1]!.atMs).toBeGreaterThanOrEqual(60_000)
      for (const { atMs, look } of joins) expect(seen.slice(0, look).every(before => before.fit || before.atMs <= atMs - 30_000)).toBe(true)
      expect(changes.map(({ change }) => change)).toEqual(changes.map((_, index) => (index % 2 === 0 ? 'join' : 'leave')))
    }),
    { numRuns: 2000 }
  )
})

test('leaves at the very look that finds it unfit', () => {
  const changes = run([
    { atMs: 0, fit: true },
    { atMs: 30_000, fit: true },
    { atMs: 30_001, fit: false }
  ])
  expect(changes).toEqual([
    { atMs: 30_000, change: 'join', look: 1 },
    { atMs: 30_001, change: 'leave', look: 2 }
  ])
})

test('a clock that goes back closes the gate, and the minute counts anew', () => {
  const changes = run([0, 30_000, 5000, 35_000, 64_999, 65_000].map(atMs => ({ atMs, fit: true })))
  expect(changes.map(({ change, atMs }) => `${change} ${atMs}`)).toEqual(['join 30000', 'leave 5000', 'join 65000'])
})
