import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openTrace, type TraceOptions } from '../../src/vehicle/trace/open-trace.ts'
import { DRIVE, GEAR, PARK, readingOf, until, vehicleContract } from './vehicle-contract.ts'

/** A clock that runs as it should, but can be put forward. */
function jumpingClock() {
  let aheadMs = 0
  return {
    clock: { monotonicMs: () => performance.now() + aheadMs, unixMs: () => Date.now() },
    random: () => 0.5,
    jump: (seconds: number) => {
      aheadMs += seconds * 1000
    }
  }
}

const line = (t: number, more: object) => `${JSON.stringify({ t, ...more })}\n`
const SPEED = 'Vehicle.Speed'

vehicleContract('trace', async () => {
  const surroundings = jumpingClock()
  // Nothing happens in the hours between by itself: the test puts the clock forward.
  const text = [
    line(0, { [GEAR]: PARK }),
    line(10_000, { [GEAR]: DRIVE }),
    line(20_000, { source: 'lost' }),
    line(30_000, { source: 'live', [GEAR]: PARK }),
    line(90_000, {})
  ].join('')
  const start = surroundings.clock.monotonicMs()
  const goTo = (seconds: number) => surroundings.jump(seconds - (surroundings.clock.monotonicMs() - start) / 1000)
  return {
    source: await openTrace({ text, refreshMs: 20 }, surroundings),
    drive: () => goTo(10_001),
    lose: () => goTo(20_001),
    regain: () => goTo(30_001),
    close: () => {}
  }
})

async function open(options: TraceOptions, surroundings = jumpingClock()) {
  const source = await openTrace({ refreshMs: 20, ...options }, surroundings)
  onTestFinished(() => source.stop())
  return { source, ...surroundings }
}

test('a day passes in no time, every line is told in order, and the trace has ended', async () => {
  const text = Array.from({ length: 1441 }, (_, minute) => line(minute * 60, { [SPEED]: minute % 200 })).join('')
  const { source } = await open({ text, speed: 100_000 })
  const speeds: unknown[] = [readingOf(source, SPEED)?.value]
  source.onChange(() => {
    const { value } = readingOf(source, SPEED)!
    if (value !== speeds.at(-1)) speeds.push(value)
  })
  await until(source, () => source.state() === 'ended')
  expect(speeds).toEqual(Array.from({ length: 1441 }, (_, minute) => minute % 200))
  expect(source.trouble()).toContain('the trace has ended')
})

test('ages are on the car’s clock however fast the trace runs', async () => {
  const { source, clock } = await open({ text: line(0, { [SPEED]: 0 }) + line(1e9, {}), speed: 600 })
  const startMs = clock.monotonicMs()
  await until(source, () => readingOf(source, SPEED)!.arrivedMs > startMs + 100)
  const nowMs = clock.monotonicMs()
  expect(readingOf(source, SPEED)!.arrivedMs).toBeLessThanOrEqual(nowMs)
})

test('what does not change stays fresh while other signals change all the time', async () => {
  const busy = Array.from({ length: 5000 }, (_, minute) => line(minute * 60, { [SPEED]: minute % 2 })).join('')
  const { source } = await open({ text: line(0, { [GEAR]: PARK }) + busy, speed: 6000 })
  const { arrivedMs } = readingOf(source, GEAR)!
  await until(source, () => readingOf(source, GEAR)!.arrivedMs > arrivedMs)
  expect(source.state()).toBe('live')
})

test('after its end nothing is re-sent', async () => {
  const { source, jump } = await open({ text: line(0, { [SPEED]: 0 }) + line(100, { [SPEED]: 1 }) })
  jump(101)
  await until(source, () => source.state() === 'ended')
  const { arrivedMs, value } = readingOf(source, SPEED)!
  await new Promise(resolve => setTimeout(resolve, 80))
  expect(readingOf(source, SPEED)).toEqual({ arrivedMs, value })
  expect(value).toBe(1)
})

test('it may begin in the middle: what was said before holds', async () => {
  const { source } = await open({ text: line(0, { [SPEED]: 7 }) + line(50, { [GEAR]: PARK }) + line(1e6, {}), fromS: 60 })
  expect(readingOf(source, SPEED)?.value).toBe(7)
  expect(readingOf(source, GEAR)?.value).toBe(PARK)
})

test('its time may begin anywhere, and its last values hold until the end that is asked for', async () => {
  const { source, jump } = await open({ text: line(172_800, { [SPEED]: 7 }) + line(180_000, { [SPEED]: 8 }), untilS: 259_200 })
  expect(readingOf(source, SPEED)?.value).toBe(7)
  jump(50_000)
  await until(source, () => readingOf(source, SPEED)?.value === 8)
  expect(source.state()).toBe('live')
  jump(40_000)
  await until(source, () => source.state() === 'ended')
})

test('an end before its beginning is refused', async () => {
  await expect(openTrace({ text: line(60, {}) + line(90, {}), untilS: 30 })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
})

test('a vehicle that sent no number is heard with null, and named', async () => {
  const { source } = await open({ text: line(0, { [SPEED]: 'NaN' }) + line(1e6, {}) })
  expect(readingOf(source, SPEED)?.value).toBeNull()
  expect(source.trouble()).toContain('Vehicle.Speed is not a finite number')
})

test('before its first line it is not live', async () => {
  const { source, jump } = await open({ text: line(60, { [SPEED]: 7 }) + line(1e6, {}), fromS: 0 })
  expect(source.state()).toBe('lost')
  expect(source.trouble()).toContain('not begun')
  expect(source.signals().size).toBe(0)
  jump(61)
  await until(source, () => source.state() === 'live')
})

test.each([0, -1, Number.NaN, 100_001])('a speed of %s is refused', async speed => {
  await expect(openTrace({ text: line(0, {}), speed })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
})

test('a file is read by its name, and named when it cannot be', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'motorpool-trace-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'day.CSV')
  writeFileSync(path, `timeS,${SPEED}\n0,3\n9999,4\n`)
  const { source } = await open({ path })
  expect(readingOf(source, SPEED)?.value).toBe(3)
  writeFileSync(path, Uint8Array.of(0xff, 0xfe, 0x00, 0x80))
  await expect(openTrace({ path })).rejects.toMatchObject({ code: 'ERR_BAD_TRACE', message: expect.stringContaining('UTF-8') })
  await expect(openTrace({ path: join(folder, 'none.csv') })).rejects.toMatchObject({ code: 'ERR_BAD_TRACE', message: expect.stringContaining('ENOENT') })
  await expect(openTrace({ path: folder })).rejects.toMatchObject({ code: 'ERR_BAD_TRACE', message: expect.stringContaining('EISDIR') })
})

test('cars that are given one start share one day, whenever each is opened', async () => {
  const text = line(0, { [SPEED]: 7 }) + line(600, { [SPEED]: 8 }) + line(1e6, {})
  const epochUnixMs = Date.UTC(2024, 0, 1)
  const startUnixMs = Date.now() - 2_000
  const { source } = await open({ text, speed: 600, startUnixMs, epochUnixMs })
  expect(readingOf(source, SPEED)?.value).toBe(8)
  const later = await openTrace({ text, speed: 600, startUnixMs, epochUnixMs })
  onTestFinished(() => later.stop())
  expect(source.clock.rate).toBe(600)
  expect(source.clock.unixMs()).toBeGreaterThanOrEqual(epochUnixMs + 1_200_000)
  // Both clocks tell the same time of day, up to what a millisecond is worth at this speed.
  const [one, other] = [source.clock.unixMs(), later.clock.unixMs()]
  expect(Math.abs(one - other)).toBeLessThan(600 * 50)
})

test('a day that has not begun tells nothing; without an epoch it is a Monday’s midnight at second 0', async () => {
  const text = line(60, { [SPEED]: 7 }) + line(1e6, {})
  const { source, jump } = await open({ text, startUnixMs: Date.now() + 5_000 })
  expect([source.state(), source.signals().size]).toEqual(['lost', 0])
  jump(6)
  await until(source, () => source.state() === 'live')
  expect(new Date(source.clock.unixMs()).toISOString()).toMatch(/^2024-01-01T00:01:/)
})

test('it skips ahead, telling all that was in between, and never back', async () => {
  const { source } = await open({ text: line(0, { [SPEED]: 7 }) + line(500, { [GEAR]: PARK }) + line(1000, { [SPEED]: 8 }) + line(2000, {}) })
  source.skipTo(1500)
  expect([readingOf(source, SPEED)?.value, readingOf(source, GEAR)?.value, Math.floor(source.clock.monotonicMs() / 1000)]).toEqual([8, PARK, 1500])
  expect(() => source.skipTo(20)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringContaining('a later second') }))
  expect(() => source.skipTo(Number.NaN)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }))
  source.skipTo(2000)
  expect(source.state()).toBe('ended')
})
