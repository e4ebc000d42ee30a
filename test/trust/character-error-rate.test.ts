import { describe, expect, test } from 'vitest'
import { characterErrorRate, characterErrors } from '../../src/trust/character-error-rate.ts'

const errors = (recognised: string, truth: string) => characterErrors(recognised, truth)

describe('characterErrors', () => {
  test.each([
    ['the same', 'call me Ishmael', 'call me Ishmael', 0],
    ['one letter substituted', 'call mo Ishmael', 'call me Ishmael', 1],
    ['one letter lost', 'call me shmael', 'call me Ishmael', 1],
    ['one letter too many', 'call mee Ishmael', 'call me Ishmael', 1],
    ['a lost space counts', 'callme Ishmael', 'call me Ishmael', 1],
    ['case counts', 'Call me Ishmael', 'call me Ishmael', 1],
    ['kitten and sitting', 'kitten', 'sitting', 3],
    ['nothing recognised', '', 'abc', 3],
    ['nothing there', 'abc', '', 3]
  ])('%s', (_, recognised, truth, edits) => {
    expect(errors(recognised, truth)).toEqual({ edits, length: truth.length })
  })

  test('line breaks and runs of white space are one space', () => {
    expect(errors(' call  me\r\nIshmael\n', 'call me Ishmael')).toEqual({ edits: 0, length: 15 })
  })

  test('a character outside of the first plane counts once', () => {
    expect(errors('𝒜', '𝒜b')).toEqual({ edits: 1, length: 2 })
  })
})

describe('characterErrorRate', () => {
  test('weighs pages by their length', () => {
    expect(characterErrorRate([errors('ab', 'xy'), errors('a'.repeat(98), 'a'.repeat(98))])).toBe(0.02)
  })

  test('is 0 for nothing at all and for empty pages read as empty', () => {
    expect(characterErrorRate([])).toBe(0)
    expect(characterErrorRate([errors('', '')])).toBe(0)
  })
})
