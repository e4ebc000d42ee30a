import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ADMISSION_DEFAULTS, mayAdmit, NO_RISK, takeRisk } from '../../../src/placement/stays/stay-admission.ts'

describe('admission', () => {
  it('lets no more be interrupted than its share, as expected, in whatever order tasks come', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 300 }), all => {
        let risk = NO_RISK
        let [taken, expected] = [0, 0]
        for (const odds of all) {
          if (!mayAdmit(risk, odds)) continue
          expect(odds).toBeGreaterThanOrEqual(ADMISSION_DEFAULTS.leastOdds)
          taken++
          expected += 1 - odds
          risk = takeRisk(risk, odds)
          expect(expected).toBeLessThanOrEqual(taken * ADMISSION_DEFAULTS.interruptedShare + 1e-9)
        }
      })
    )
  })

  it('takes a risk that safe tasks have earned, once', () => {
    expect(mayAdmit(NO_RISK, 0.9)).toBe(false)
    let risk = NO_RISK
    for (let task = 0; task < 13; task++) risk = takeRisk(risk, 1)
    expect(mayAdmit(risk, 0.9)).toBe(true)
    expect(mayAdmit(takeRisk(risk, 0.9), 0.9)).toBe(false)
    expect(mayAdmit(risk, 0.8)).toBe(false)
  })

  it('does not save up for one great risk', () => {
    let risk = NO_RISK
    for (let task = 0; task < 10_000; task++) risk = takeRisk(risk, 1)
    expect(risk.left).toBeLessThanOrEqual(0.5)
  })
})
