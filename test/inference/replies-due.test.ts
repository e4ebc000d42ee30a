import { expect, test } from 'vitest'
import { areRepliesDue, type HeldReplies, type NextRun } from '../../src/inference/socket/replies-due.ts'

const held: HeldReplies = { count: 1, byteLength: 1000, sinceMs: 100, deadlineMs: 60_000 }
const next: NextRun = { behind: 9, expectedMs: 4 }
const isDue = (changes: Partial<HeldReplies & NextRun>, nowMs = 100): boolean => areRepliesDue({ ...held, ...changes }, { ...next, ...changes }, nowMs)

test('replies wait until as many tasks have ended as wait', () => {
  expect([isDue({ behind: 2 }), isDue({ behind: 1 }), isDue({ behind: 0 })]).toEqual([false, true, true])
  expect([isDue({ count: 4, behind: 5 }), isDue({ count: 4, behind: 4 })]).toEqual([false, true])
})

test('eight replies or a mebibyte are enough', () => {
  expect([isDue({ count: 7 }), isDue({ count: 8 })]).toEqual([false, true])
  expect([isDue({ byteLength: 2 ** 20 - 1 }), isDue({ byteLength: 2 ** 20 })]).toEqual([false, true])
})

test('none gets older than 80 ms by a run of the usual length, and what takes how long nobody knows lets none wait', () => {
  expect([isDue({}, 176), isDue({}, 177)]).toEqual([false, true])
  expect([isDue({ expectedMs: 80 }), isDue({ expectedMs: 81 })]).toEqual([false, true])
  expect(isDue({ expectedMs: undefined })).toBe(true)
})

test('a reply whose task is nearly out of time goes at once', () => {
  expect([isDue({ deadlineMs: 1104 }), isDue({ deadlineMs: 1103 })]).toEqual([false, true])
})
