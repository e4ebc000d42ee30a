import { expect, test, vi } from 'vitest'
import type { LineTask } from '../../src/inference/line-task.ts'
import { createTaskLine } from '../../src/inference/task-line.ts'
import { MotorpoolError } from '../../src/protocol/errors.ts'
import { oneFloat } from './test-runner.ts'

/** A line whose worker is played by the test. */
function lineOf(depth?: number) {
  const sent: LineTask[] = []
  const dropped: number[] = []
  const kill = vi.fn()
  let begun: readonly number[] = []
  const { add: queue, pump, join } = createTaskLine({ killAfterAbortMs: 5, ...(depth === undefined ? {} : { depth }) })
  const seat = join({ isReady: () => true, send: task => sent.push(task), drop: task => dropped.push(task.id), begun: () => begun, kill })
  // The next process has noted nothing yet.
  const lose = (error?: MotorpoolError) => {
    seat.lose(error)
    begun = []
  }
  const line = { pump, add: queue, settle: seat.settle, lose }
  const add = (limitMs = 60_000, signal?: AbortSignal) => line.add({ input: oneFloat(1), limitMs }, signal)
  const done = (id: number, together = 1, ranUs = 1) => {
    const value = oneFloat(id)
    line.settle({ type: 'done', id, value, digest: new Uint8Array(32), waitedUs: 0, ranUs, together })
  }
  const begin = (...ids: readonly number[]) => {
    begun = ids
  }
  return { line, sent, dropped, kill, add, done, begin, ids: () => sent.map(({ id, alone }) => (alone ? `${id} alone` : `${id}`)) }
}

const death = new MotorpoolError('ERR_WORKER_DIED', 'gone; submit again', { retryable: true })

test('a batch that took its worker with it fails nobody: each of its tasks runs alone in the next one', async () => {
  const { line, add, done, begin, ids, sent } = lineOf(8)
  const tasks = [add(), add(), add()]
  begin(0, 2)
  line.lose(death)
  sent.length = 0
  line.pump()
  expect(ids()).toEqual(['0 alone', '1', '2 alone'])
  line.lose(death)
  await expect(tasks[0]).rejects.toMatchObject({ code: 'ERR_WORKER_DIED' })
  line.pump()
  done(1)
  done(2)
  await expect(Promise.all(tasks.slice(1))).resolves.toHaveLength(2)
})

test('a task of a batch whose time is over ends the run, and only that task fails', async () => {
  const { line, add, done, begin, kill, ids, sent } = lineOf(8)
  const [poisoned, companion] = [add(20), add()]
  begin(0, 1)
  await expect(poisoned).rejects.toMatchObject({ code: 'ERR_TIME_LIMIT' })
  expect(kill).toHaveBeenCalledOnce()
  line.lose(kill.mock.calls[0]?.[0])
  sent.length = 0
  line.pump()
  expect(ids()).toEqual(['1 alone'])
  done(1)
  await expect(companion).resolves.toMatchObject({ together: 1 })
})

test('an aborted task leaves a batch that others wait for alone, and ends one that nobody waits for', async () => {
  const { add, done, begin, kill } = lineOf(8)
  const [first, second] = [new AbortController(), new AbortController()]
  const aborted = [add(60_000, first.signal), add(60_000, second.signal)]
  const other = add()
  begin(0, 1, 2)
  for (const [at, controller] of [first, second].entries()) {
    controller.abort()
    await expect(aborted[at]).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  }
  await new Promise(resolve => setTimeout(resolve, 20))
  expect(kill).not.toHaveBeenCalled()
  done(2, 3)
  await expect(other).resolves.toMatchObject({ together: 3 })
  done(0, 3)
  const third = new AbortController()
  const last = add(60_000, third.signal)
  begin(1, 3)
  third.abort()
  await expect(last).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  await vi.waitFor(() => expect(kill).toHaveBeenCalled())
})

test('a dropped task may still be answered, by its drop or by its result', async () => {
  const { line, add, done, dropped, sent } = lineOf(2)
  const controller = new AbortController()
  const tasks = [add(), add(60_000, controller.signal), add()]
  controller.abort()
  await expect(tasks[1]).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  expect([dropped, sent.map(({ id }) => id)]).toEqual([[1], [0, 1, 2]])
  done(0)
  line.settle({ type: 'failed', id: 1, code: 'ERR_ABORTED', message: 'taken back; submit again' })
  done(2)
  await expect(Promise.all([tasks[0], tasks[2]])).resolves.toHaveLength(2)
  expect(() => done(1)).toThrow('a task that it does not have')
})

test('a worker that dies with results it kept fails the task that ran, and what was done runs again', async () => {
  const { line, add, done, begin, ids, sent } = lineOf(8)
  const tasks = [add(), add(), add(), add()]
  begin(2)
  line.lose(death)
  await expect(tasks[2]).rejects.toMatchObject({ code: 'ERR_WORKER_DIED' })
  sent.length = 0
  line.pump()
  expect(ids()).toEqual(['0', '1', '3'])
  for (const id of [0, 1, 3]) done(id)
  await expect(Promise.all([tasks[0], tasks[1], tasks[3]])).resolves.toHaveLength(3)
})

test('a task that loops behind results that were kept is ended at its time, and no other fails with it', async () => {
  const { line, add, done, begin, kill, ids, sent } = lineOf(8)
  const [kept, looping, behind] = [add(), add(20), add()]
  begin(1)
  await expect(looping).rejects.toMatchObject({ code: 'ERR_TIME_LIMIT' })
  expect(kill).toHaveBeenCalledOnce()
  // It came to its end, and the next one began, before the signal reached it.
  begin(2)
  line.lose(kill.mock.calls[0]?.[0])
  sent.length = 0
  line.pump()
  expect(ids()).toEqual(['0', '2'])
  done(0)
  done(2)
  await expect(Promise.all([kept, behind])).resolves.toHaveLength(2)
})

test('a worker that claims to have begun what it does not have is taken to run its first task', async () => {
  const { line, add, done, begin } = lineOf(8)
  const tasks = [add(), add()]
  begin(7)
  line.lose(death)
  await expect(tasks[0]).rejects.toMatchObject({ code: 'ERR_WORKER_DIED' })
  line.pump()
  done(1)
  await expect(tasks[1]).resolves.toBeDefined()
})

test('a worker that dies again and again, and claims a batch each time, runs nothing for ever', async () => {
  const { line, add, begin } = lineOf(8)
  const tasks = [add(), add()]
  for (const task of tasks) void task.catch(() => {})
  for (let times = 0; times < 3; times++) {
    begin(0, 1)
    line.lose(death)
    line.pump()
  }
  await expect(tasks[0]).rejects.toMatchObject({ code: 'ERR_WORKER_DIED' })
  await expect(tasks[1]).rejects.toMatchObject({ code: 'ERR_WORKER_DIED' })
})

test('only so many tasks go ahead as the worker may hold', () => {
  const { add, sent } = lineOf(3)
  for (let count = 0; count < 5; count++) void add().catch(() => {})
  expect(sent).toHaveLength(3)
})

test('where tasks run one after another one waits in the worker, and of short ones 128 milliseconds’ worth', () => {
  const { add, done, sent } = lineOf()
  for (let count = 0; count < 100; count++) void add().catch(() => {})
  let ended = 0
  const inWorker = (ranUs: number): number => {
    for (const end = ended + 20; ended < end; ended++) done(sent[ended]?.id ?? 0, 1, ranUs)
    return sent.length - ended
  }
  expect(sent).toHaveLength(2)
  expect(inWorker(16_000)).toBe(8)
  expect(inWorker(20)).toBe(16)
  expect(inWorker(80_000)).toBe(2)
})

test('a later task whose time is short is over before an earlier one, and long times never come', async () => {
  const { add, done } = lineOf(2)
  const [patient, endless, hasty] = [add(60_000), add(Number.MAX_SAFE_INTEGER), add(10)]
  await expect(hasty).rejects.toMatchObject({ code: 'ERR_TIME_LIMIT' })
  const next = add(20)
  await expect(next).rejects.toMatchObject({ code: 'ERR_TIME_LIMIT' })
  done(0)
  done(1)
  await expect(Promise.all([patient, endless])).resolves.toHaveLength(2)
})

test('tasks go to the worker that has fewest, and what one left behind to the others', async () => {
  const line = createTaskLine({ killAfterAbortMs: 5, depth: 2 })
  const ready = [true, true]
  const sent = [0, 1].map((): number[] => [])
  const seats = [0, 1].map(at =>
    line.join({ isReady: () => ready[at] === true, send: ({ id }) => sent[at]?.push(id), drop: () => {}, begun: () => [], kill: () => {} })
  )
  const tasks = [0, 1, 2, 3, 4].map(x => line.add({ input: oneFloat(x), limitMs: 60_000 }, undefined))
  expect(sent).toEqual([
    [0, 2],
    [1, 3]
  ])
  ready[0] = false
  seats[0]?.lose(death)
  line.pump()
  await expect(tasks[0]).rejects.toMatchObject({ code: 'ERR_WORKER_DIED' })
  expect(sent[1]).toEqual([1, 3])
  for (const id of [1, 3, 2, 4]) seats[1]?.settle({ type: 'done', id, value: oneFloat(id), digest: new Uint8Array(32), waitedUs: 0, ranUs: 1, together: 1 })
  expect(sent).toEqual([
    [0, 2],
    [1, 3, 2, 4]
  ])
  await expect(Promise.all(tasks.slice(1))).resolves.toHaveLength(4)
})
