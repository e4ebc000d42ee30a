import fc from 'fast-check'
import { expect, test } from 'vitest'
import { characterErrors } from '../../src/trust/character-error-rate.ts'

const text = fc.stringMatching(/^[ab c]{0,12}$/)
const edits = (left: string, right: string) => characterErrors(left, right).edits

test('edits are a distance: 0 only for equals, the same both ways, never longer by a detour', () => {
  fc.assert(
    fc.property(text, text, text, (left, right, between) => {
      const plain = (value: string) => value.trim().replace(/\s+/g, ' ')
      expect(edits(left, right) === 0).toBe(plain(left) === plain(right))
      expect(edits(left, right)).toBe(edits(right, left))
      expect(edits(left, right)).toBeLessThanOrEqual(edits(left, between) + edits(between, right))
    })
  )
})
