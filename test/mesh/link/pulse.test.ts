import { expect, test } from 'vitest'
import { createAwakeClock } from '../../../src/mesh/link/awake-clock.ts'
import { createPulse } from '../../../src/mesh/link/pulse.ts'

function startClock() {
  let at = 1000
  const clock = createAwakeClock(250, () => at)
  const pass = (ms: number) => {
    for (let left = ms; left > 0; left -= 250) {
      at += Math.min(left, 250)
      clock.tick()
    }
  }
  return {
    clock,
    pass,
    hold: (ms: number) => {
      at += ms
    }
  }
}

test('silence counts from the last byte', () => {
  const { clock, pass } = startClock()
  const pulse = createPulse(clock)
  pass(1000)
  expect(pulse.silenceMs()).toBe(1000)
  pulse.heard()
  pass(300)
  expect(pulse.silenceMs()).toBe(300)
})

test('what this process slept through is nobody’s silence', () => {
  const { clock, pass, hold } = startClock()
  const pulse = createPulse(clock)
  pass(250)
  hold(60_000)
  expect(pulse.silenceMs()).toBe(750)
  clock.tick()
  expect(pulse.silenceMs()).toBe(750)
  pass(1000)
  expect(pulse.silenceMs()).toBe(1750)
})

test('the widest gap of each beat interval counts, bursts do not thin it', () => {
  const { clock, pass } = startClock()
  const pulse = createPulse(clock)
  expect(pulse.p99GapMs()).toBe(0)
  for (let beat = 0; beat < 200; beat++) {
    pass(250)
    for (let chunk = 0; chunk < 50; chunk++) pulse.heard()
    pulse.tick()
  }
  expect(pulse.p99GapMs()).toBe(250)
  for (let beat = 0; beat < 4; beat++) {
    pass(900)
    pulse.heard()
    pulse.tick()
  }
  expect(pulse.p99GapMs()).toBe(900)
})

test('an echo tells the round trip, less the time that the other side took', async () => {
  const { clock } = startClock()
  const [ours, theirs] = [createPulse(clock), createPulse(clock)]
  expect(ours.beat().echo).toBeNull()
  theirs.onBeat(ours.beat())
  await new Promise(resolve => setTimeout(resolve, 300))
  ours.onBeat(theirs.beat())
  expect(ours.roundTripMs()).toBeLessThan(200)
})
