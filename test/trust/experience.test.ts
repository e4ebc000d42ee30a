import { expect, it } from 'vitest'
import { completionRate, type Experience, NO_EXPERIENCE, recordOutcome } from '../../src/trust/experience.ts'

const DAY_MS = 24 * 3_600_000
const after = (outcomes: readonly ('completed' | 'failed')[], everyMs = 1000): Experience =>
  outcomes.reduce((experience, outcome, index) => recordOutcome(experience, outcome, 1 + index * everyMs), NO_EXPERIENCE)

it('gives a car that was never met even odds', () => expect(completionRate(NO_EXPERIENCE)).toBe(0.5))

it('rises with what is done and falls with what is not', () => {
  expect(completionRate(after(['completed', 'completed', 'completed']))).toBeCloseTo(0.8, 3)
  expect(completionRate(after(['failed', 'failed', 'failed']))).toBeCloseTo(0.2, 3)
})

it('forgets half in 14 days', () => {
  const old = recordOutcome(after(Array.from({ length: 10 }, () => 'failed')), 'completed', 14 * DAY_MS)
  expect(old.failed).toBeCloseTo(5, 2)
})
