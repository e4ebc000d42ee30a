import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AttendantEffect, type AttendantEvent, type AttendantState, attendantStep, FIRST_ATTENDANT_STATE } from '../../../src/car/owner/attendant-step.ts'
import type { PlannedDeparture } from '../../../src/energy/departure-forecast.ts'
import type { Fitness } from '../../../src/energy/fitness.ts'

const DOOR: Fitness = { fit: false, reasons: [{ code: 'door-open', text: 'the driver’s door is open', planned: false }] }
const FIT: Fitness = { fit: true }
const UNIX = Date.UTC(2026, 2, 2)
const SETTLE_MS = 30_000
const MINUTE_MS = 60_000

/** An attendant under a virtual clock: joins and departures take as long as the world says. */
function createWorld(times: {
  readonly joinMs: number
  readonly leaveMs: number
  readonly failing?: boolean
  readonly rate?: number
  readonly drainMs?: number
}) {
  const rate = times.rate ?? 1
  let state: AttendantState = FIRST_ATTENDANT_STATE
  let nowMs = 0
  let fitness: Fitness = DOOR
  let planned: PlannedDeparture | null = null
  let car: 'away' | 'joining' | 'here' | 'leaving' = 'away'
  let due: { readonly atMs: number; readonly event: AttendantEvent['type'] }[] = []
  const log: { readonly atMs: number; readonly effect: AttendantEffect }[] = []
  const joins: number[] = []

  const step = (event: AttendantEvent): void => {
    const [next, effects] = attendantStep(state, event)
    state = next
    for (const effect of effects) {
      log.push({ atMs: nowMs, effect })
      if (effect.type === 'park') {
        car = 'joining'
        due.push({ atMs: nowMs + times.joinMs, event: times.failing === true ? 'park-failed' : 'parked' })
      }
      if (effect.type === 'depart') {
        // As the seat does: a departure breaks off a join, and a second one shortens the first.
        due = due.filter(({ event }) => event !== 'parked' && event !== 'park-failed' && event !== 'departed')
        if (car === 'joining') due.push({ atMs: nowMs, event: 'park-failed' })
        car = 'leaving'
        due.push({ atMs: nowMs + Math.min(times.leaveMs, effect.secondsLeft * 1000), event: 'departed' })
      }
    }
  }
  const look = (): void =>
    step({ type: 'looked', fitness, planned, vehicleMs: nowMs * rate, unixMs: UNIX + nowMs * rate, rate, atMs: nowMs, drainMs: times.drainMs ?? 0 })
  const settle = (): void => {
    for (;;) {
      const next = due.filter(({ atMs }) => atMs <= nowMs).sort((left, right) => left.atMs - right.atMs)[0]
      if (next === undefined) return
      due = due.filter(each => each !== next)
      if (next.event === 'parked' && car === 'joining') {
        car = 'here'
        joins.push(nowMs)
        step({ type: 'parked' })
      } else if (next.event === 'park-failed') {
        if (car === 'joining') car = 'away'
        step({ type: 'park-failed', reason: 'no memory', atMs: nowMs })
      } else if (next.event === 'departed') {
        car = 'away'
        step({ type: 'departed' })
      }
    }
  }
  return {
    log,
    joins,
    car: () => car,
    state: () => state,
    nowMs: () => nowMs,
    tell: (next: Fitness, end: PlannedDeparture | null = planned) => {
      fitness = next
      planned = end
      look()
    },
    run: (ms: number) => {
      for (const until = nowMs + ms; nowMs < until; ) {
        nowMs += 250
        settle()
        if (nowMs % 1000 === 0) look()
      }
    }
  }
}

const departures = (world: ReturnType<typeof createWorld>) => world.log.flatMap(({ effect }) => (effect.type === 'depart' ? [effect] : []))

test('joins after the settle time and leaves at the first look that is unfit', () => {
  const world = createWorld({ joinMs: 2000, leaveMs: 500 })
  world.tell(FIT)
  world.run(SETTLE_MS - 1000)
  expect(world.car()).toBe('away')
  world.run(5000)
  expect(world.car()).toBe('here')
  world.tell(DOOR)
  expect(departures(world)).toEqual([{ type: 'depart', reason: 'the driver’s door is open', secondsLeft: 0.8 }])
  world.run(1000)
  expect(world.car()).toBe('away')
})

test('whatever the signals do, it joins at most once a minute, and is never left on the mesh unfit', () => {
  const flips = fc.array(fc.record({ afterMs: fc.integer({ min: 250, max: 90_000 }), fit: fc.boolean() }), { minLength: 1, maxLength: 40 })
  const times = fc.record({ joinMs: fc.integer({ min: 0, max: 20_000 }), leaveMs: fc.integer({ min: 0, max: 5000 }), failing: fc.boolean() })
  fc.assert(
    fc.property(flips, times, (script, taking) => {
      const world = createWorld(taking)
      for (const { afterMs, fit } of script) {
        world.tell(fit ? FIT : DOOR)
        if (!fit) expect(['away', 'leaving']).toContain(world.car())
        world.run(afterMs)
      }
      for (const [index, atMs] of world.joins.entries()) {
        const before = world.joins[index - 1]
        // What counts is when it was let in; the loading that follows takes as long as it takes.
        if (before !== undefined) expect(atMs - before).toBeGreaterThan(MINUTE_MS - taking.joinMs - 1000)
      }
      world.tell(DOOR)
      world.run(10_000)
      expect(world.car()).toBe('away')
      world.tell(FIT)
      world.run(4 * MINUTE_MS)
      if (!taking.failing) expect(world.car()).toBe('here')
    }),
    { seed: 11, numRuns: 200 }
  )
})

test('catches up when the vehicle is fit again while the car still leaves, and unfit while it joins', () => {
  const world = createWorld({ joinMs: 10_000, leaveMs: 1000 })
  world.tell(FIT)
  world.run(SETTLE_MS + 2000)
  expect(world.car()).toBe('joining')
  world.tell(DOOR)
  expect(world.car()).toBe('leaving')
  world.tell(FIT)
  world.run(500)
  world.run(2 * MINUTE_MS)
  expect(world.car()).toBe('here')
  expect(world.joins).toHaveLength(1)
})

test('tries a join that failed again, waiting longer each time, and says so', () => {
  const world = createWorld({ joinMs: 0, leaveMs: 0, failing: true })
  world.tell(FIT)
  world.run(SETTLE_MS + 10 * MINUTE_MS)
  const waits = world.log.flatMap(({ effect }) => (effect.type === 'join-failed' ? [effect.retryInMs] : []))
  expect(waits.slice(0, 7)).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000])
  expect(Math.max(...waits)).toBe(60_000)
})

test('drains ahead of a planned end, by what its work takes, at the rate of the vehicle’s clock', () => {
  for (const rate of [1, 600]) {
    const world = createWorld({ joinMs: 0, leaveMs: 60_000, rate, drainMs: 8000 })
    world.tell(FIT)
    world.run(SETTLE_MS + 1000)
    expect(world.car()).toBe('here')
    const atUnixMs = UNIX + (world.nowMs() + 20_000) * rate
    world.tell(FIT, { atUnixMs, code: 'quiet-hours', reason: 'it is to be quiet from 22:00' })
    world.run(9000)
    expect(world.car()).toBe('here')
    world.run(3000)
    const [departure] = departures(world)
    expect(departure?.reason).toBe('it is to be quiet from 22:00')
    expect(departure?.secondsLeft).toBeGreaterThanOrEqual(8)
    expect(departure?.secondsLeft).toBeLessThanOrEqual(10)
  }
})

test('having drained for an end it stays away until then, though without work it would need less time; a later end lets it in again', () => {
  const times = { joinMs: 0, leaveMs: 1000, drainMs: 60_000 }
  const world = createWorld(times)
  world.tell(FIT)
  world.run(SETTLE_MS + 1000)
  const end: PlannedDeparture = { atUnixMs: UNIX + world.nowMs() + 30 * MINUTE_MS, code: 'charging-timer', reason: 'charging is timed to end at 07:30' }
  world.tell(FIT, end)
  world.run(28 * MINUTE_MS)
  expect(world.car()).toBe('here')
  world.run(MINUTE_MS)
  expect(world.car()).toBe('away')
  times.drainMs = 0
  world.run(MINUTE_MS / 2)
  expect([world.car(), world.joins.length]).toEqual(['away', 1])
  world.tell(FIT, { ...end, atUnixMs: end.atUnixMs + 60 * MINUTE_MS })
  world.run(SETTLE_MS + 2000)
  expect([world.car(), world.joins.length]).toEqual(['here', 2])
})

test('a sudden reason shortens a drain', () => {
  const world = createWorld({ joinMs: 0, leaveMs: 60_000, drainMs: 30_000 })
  world.tell(FIT)
  world.run(SETTLE_MS + 1000)
  world.tell(FIT, { atUnixMs: UNIX + world.nowMs() + 30_000, code: 'quiet-hours', reason: 'it is to be quiet' })
  expect(world.car()).toBe('leaving')
  world.tell(DOOR)
  expect(departures(world).map(({ secondsLeft }) => secondsLeft)).toEqual([30, 0.8])
})

test('doesn’t come back when a timer has passed and the driver is expected', () => {
  const world = createWorld({ joinMs: 0, leaveMs: 1000 })
  world.tell(FIT)
  world.run(SETTLE_MS + 1000)
  world.tell(FIT, { atUnixMs: UNIX + world.nowMs() + 10_000, code: 'charging-timer', reason: 'charging is timed to end at 07:30' })
  world.run(10_000)
  world.tell(FIT, null)
  world.run(10 * MINUTE_MS)
  expect(world.car()).toBe('away')
  expect(world.state().reasons.map(({ text }) => text)).toEqual(['the driver is expected'])
  world.run(10 * MINUTE_MS)
  expect(world.car()).toBe('here')
})
