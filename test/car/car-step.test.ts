import { expect, test } from 'vitest'
import { type CarStepEvent, type CarWork, initialCarWork } from '../../src/car/car-state.ts'
import { carStep, drainMs } from '../../src/car/car-step.ts'
import { cidOf, type LeaseId, type PeerId, type TaskId } from '../../src/protocol/ids.ts'

const MODEL = cidOf(Uint8Array.of(1))
const CLIENT = 'client' as PeerId
const LEASE = 'aa' as LeaseId

/** A car of one slot that has run a task of 1 s, with a lease. */
function openCar() {
  let work: CarWork = initialCarWork({ slots: 1 })
  const step = (event: CarStepEvent, nowMs: number) => {
    const [next, effects] = carStep(work, event, nowMs)
    work = next
    return effects.map(effect => (effect.type === 'fail' ? effect.code : effect.type)).filter(type => type !== 'wake')
  }
  const submit = (task: string, nowMs: number) => step({ type: 'task', lease: LEASE, client: CLIENT, task: task as TaskId, attempt: 1, deadlineMs: 1e9 }, nowMs)
  const ran = (task: string, nowMs: number, ranUs = 1e6) => step({ type: 'ran', lease: LEASE, task: task as TaskId, attempt: 1, ranUs }, nowMs)
  step({ type: 'parked', models: [MODEL] }, 0)
  step({ type: 'awarded', lease: LEASE, client: CLIENT, model: MODEL, slots: 8 }, 0)
  submit('first', 0)
  ran('first', 1000)
  return { step, submit, ran, work: () => work }
}

test('admits up to a foreseen end what it can finish, counting what waits, and nothing that it can’t', () => {
  const { step, submit, work } = openCar()
  step({ type: 'end-expected', atMs: 5000 }, 1000)
  expect(submit('a', 1000)).toEqual(['run'])
  expect(submit('b', 1000)).toEqual(['run'])
  expect(drainMs(work())).toBe(3000)
  expect(submit('c', 1000)).toEqual([])
  expect(submit('d', 1000)).toEqual(['ERR_LEAVING'])
  expect(step({ type: 'announced', asksAll: false, ask: 'x', client: CLIENT, model: MODEL, expiresMs: 9000 }, 1000)).toEqual([])
})

test('an end that is no longer foreseen lets work in again', () => {
  const { step, submit } = openCar()
  step({ type: 'end-expected', atMs: 1500 }, 1000)
  expect(submit('a', 1000)).toEqual(['ERR_LEAVING'])
  step({ type: 'end-expected', atMs: null }, 1000)
  expect(submit('b', 1000)).toEqual(['run'])
})

test('a second departure shortens the first, and the work that no longer fits goes back', () => {
  const { step, submit } = openCar()
  submit('a', 1000)
  expect(step({ type: 'departing', reason: 'quiet hours', secondsLeft: 10 }, 1000)).toEqual(['tell-leaving'])
  expect(step({ type: 'departing', reason: 'a door', secondsLeft: 0.8 }, 1100)).toEqual(['tell-leaving', 'abort', 'ERR_LEAVING', 'gone'])
})

test('a second departure that is no sooner is told to nobody', () => {
  const { step, submit } = openCar()
  submit('a', 1000)
  step({ type: 'departing', reason: 'a door', secondsLeft: 2 }, 1000)
  expect(step({ type: 'departing', reason: 'the owner', secondsLeft: 2 }, 1001)).toEqual([])
})

test('a leaving car is gone when its last task is done, and at the latest in time', () => {
  const early = openCar()
  early.submit('a', 1000)
  early.step({ type: 'departing', reason: 'a door', secondsLeft: 2 }, 1000)
  expect(early.ran('a', 1700)).toEqual(['reply', 'gone'])
  const late = openCar()
  late.submit('a', 1000)
  late.step({ type: 'departing', reason: 'a door', secondsLeft: 2 }, 1000)
  expect(late.step({ type: 'woken' }, 3000)).toEqual(['abort', 'ERR_LEAVING', 'gone'])
})

/** Tasks in the workers of a car of two slots, after so many of a model that takes `ranUs`, with 60 more that wait. */
function inWorkers(ranUs: number, clients: readonly PeerId[]): number {
  const running = new Set<string>()
  let work: CarWork = initialCarWork({ slots: 2 })
  const step = (event: CarStepEvent) => {
    const [next, effects] = carStep(work, event, 0)
    work = next
    for (const effect of effects) if (effect.type === 'run') running.add(effect.task.task)
  }
  const leaseOf = (client: PeerId) => `lease of ${client}` as LeaseId
  step({ type: 'parked', models: [MODEL] })
  for (const client of clients) step({ type: 'awarded', lease: leaseOf(client), client, model: MODEL, slots: 64 })
  for (let task = 0; task < 60; task++)
    for (const client of clients) step({ type: 'task', lease: leaseOf(client), client, task: `${client} ${task}` as TaskId, attempt: 1, deadlineMs: 1e9 })
  for (let count = 0; count < 5; count++) {
    const [task = ''] = running
    running.delete(task)
    step({ type: 'ran', lease: leaseOf(task.split(' ')[0] as PeerId), task: task as TaskId, attempt: 1, ranUs })
  }
  return running.size
}

test('hands over short tasks ahead of their turn, as far as they are 128 milliseconds of work, while one client has the car', () => {
  const other = 'other' as PeerId
  expect(inWorkers(20, [CLIENT])).toBe(36)
  expect(inWorkers(16_000, [CLIENT])).toBe(20)
  expect(inWorkers(200_000, [CLIENT])).toBe(4)
  expect(inWorkers(20, [CLIENT, other])).toBe(4)
})
