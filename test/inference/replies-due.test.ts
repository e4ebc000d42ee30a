import { expect, test } from 'vitest'
import { areRepliesDue, type HeldReplies, type NextRun } from '../../src/inference/socket/replies-due.ts'

const held: HeldReplies = { count: 1, byteLength: 1000, sinceMs: 100, deadlineMs: 60_000 }
const next: NextRun = { behind: 1, expectedMs: 4 }
const isDue = (changes: Partial<HeldReplies & NextRun>, nowMs = 100): boolean => areRepliesDue({ ...held, ...changes }, { ...next, ...changes }, nowMs)

test('replies wait while a run is to do and another waits behind it', () => {
  expect(isDue({})).toBe(false)
  expect(isDue({ behind: 0 })).toBe(true)
})

test('eight replies or a mebibyte are enough', () => {
  expect([isDue({ count: 7 }), isDue({ count: 8 })]).toEqual([false, true])
  expect([isDue({ byteLength: 2 ** 20 - 1 }), isDue({ byteLength: 2 ** 20 })]).toEqual([false, true])
})

test('none gets older than 20 ms by a run of the usual length, and what takes how long nobody knows lets none wait', () => {
  expect([isDue({}, 116), isDue({}, 117)]).toEqual([false, true])
  expect([isDue({ expectedMs: 20 }), isDue({ expectedMs: 21 })]).toEqual([false, true])
  expect(isDue({ expectedMs: undefined })).toBe(true)
})

test('a reply whose task is nearly out of time goes at once', () => {
  expect([isDue({ deadlineMs: 1104 }), isDue({ deadlineMs: 1103 })]).toEqual([false, true])
})
