import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createTaskIds } from '../../../src/client/tasks/task-ids.ts'
import { toHex } from '../../../src/protocol/ids.ts'

test('ids are reserved before they are drawn, differ, and begin alike where they were reserved at once', () => {
  const writes: string[][] = []
  const reserve = (start: Uint8Array, count: number): void => void writes.push(Array.from({ length: count }, (_, last) => toHex(Uint8Array.of(...start, last))))
  const draw = createTaskIds({ reserve }, length => new Uint8Array(randomBytes(length)))
  const drawn = Array.from({ length: 130 }, () => {
    const id = draw()
    expect(writes.at(-1)).toContain(id)
    return id
  })
  expect(new Set(drawn).size).toBe(130)
  expect(drawn.every(id => /^[0-9a-f]{32}$/.test(id))).toBe(true)
  expect(writes.map(ids => new Set(ids.map(id => id.slice(0, 30))).size)).toEqual([1, 1, 1])
  expect(new Set(writes.flat().map(id => id.slice(0, 30))).size).toBe(3)
  expect(new Set(writes.flat()).size).toBe(192)
})
