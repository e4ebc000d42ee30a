import { expect, test } from 'vitest'
import { createTurns, type Departure } from '../../../src/car/owner/turns.ts'

/** Sessions that start and end when the test says so. */
function open() {
  const log: string[] = []
  let starting: { readonly resolve: (session: string) => void; readonly reject: (error: Error) => void; readonly signal: AbortSignal } | undefined
  let ending: (() => void) | undefined
  const turns = createTurns<string>({
    start: signal =>
      new Promise((resolve, reject) => {
        log.push('start')
        starting = { resolve, reject, signal }
        signal.addEventListener('abort', () => reject(new Error('broken off')), { once: true })
      }),
    hurry: (session, { secondsLeft }: Departure) => void log.push(`hurry ${session} ${secondsLeft}`),
    end: session =>
      new Promise<void>(resolve => {
        log.push(`end ${session}`)
        ending = resolve
      })
  })
  return { turns, log, starting: () => starting, end: () => ending?.() }
}

const tick = () => new Promise<void>(resolve => setImmediate(resolve))
const door = { reason: 'a door is open', secondsLeft: 1 }

test('a departure breaks off a join under way, which is told so', async () => {
  const { turns, starting, log } = open()
  const entered = turns.enter()
  await tick()
  await Promise.all([expect(entered).rejects.toMatchObject({ code: 'ERR_LEAVING' }), turns.leave(door)])
  expect(starting()?.signal.aborted).toBe(true)
  expect(turns.session()).toBeUndefined()
  expect(log).toEqual(['start'])
})

test('a departure that comes as the join is done ends it', async () => {
  const { turns, starting, log, end } = open()
  const entered = turns.enter()
  await tick()
  starting()?.resolve('one')
  const left = turns.leave(door)
  await expect(entered).rejects.toMatchObject({ code: 'ERR_LEAVING' })
  await tick()
  end()
  await left
  expect(log).toEqual(['start', 'end one'])
  expect(turns.session()).toBeUndefined()
})

test('a join that waits behind a departure isn’t begun when another departure follows', async () => {
  const { turns, starting, log, end } = open()
  const first = turns.enter()
  await tick()
  starting()?.resolve('one')
  await first
  const left = turns.leave(door)
  const second = turns.enter()
  const leftAgain = turns.leave({ reason: 'a seat is taken', secondsLeft: 0 })
  expect(log).toEqual(['start', 'hurry one 1', 'hurry one 0'])
  await tick()
  end()
  await expect(second).rejects.toMatchObject({ code: 'ERR_LEAVING' })
  await Promise.all([left, leftAgain])
  expect(log.filter(each => each === 'start')).toHaveLength(1)
  const third = turns.enter()
  await tick()
  starting()?.resolve('two')
  await third
  expect(turns.session()).toBe('two')
})

test('a failed start is told as it is, and the next one works', async () => {
  const { turns, starting } = open()
  const failed = turns.enter()
  await tick()
  starting()?.reject(new Error('no memory'))
  await expect(failed).rejects.toThrow('no memory')
  const entered = turns.enter()
  await tick()
  starting()?.resolve('one')
  await entered
  expect(turns.session()).toBe('one')
})
