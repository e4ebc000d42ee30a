import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createSalts } from '../../../src/client/tasks/salts.ts'
import { toHex } from '../../../src/protocol/ids.ts'

test('a salt is 32 fresh bytes, given out once and on memory of its own', () => {
  let drawn = ''
  const draw = createSalts(length => {
    const bytes = new Uint8Array(randomBytes(length))
    drawn += toHex(bytes)
    return bytes
  })
  const salts = Array.from({ length: 300 }, draw)
  expect(new Set(salts.map(toHex)).size).toBe(300)
  expect(drawn.startsWith(salts.map(toHex).join(''))).toBe(true)
  expect(salts.every(salt => salt.length === 32 && salt.buffer.byteLength === 32)).toBe(true)
})
