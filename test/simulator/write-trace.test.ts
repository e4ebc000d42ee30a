import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type SignalPath, VEHICLE_SIGNALS } from '../../src/protocol/vehicle/signals.ts'
import { DAY_S, drawStays } from '../../src/simulator/commute.ts'
import { TRACE_EPOCH_MS, writeTrace } from '../../src/simulator/write-trace.ts'
import { makeTraces, SAMPLE_SEED } from '../fixtures/traces/make.ts'

type Line = { readonly t: number } & Partial<Record<SignalPath, boolean | number | string | null>>

const folder = new URL('../fixtures/traces/', import.meta.url)
const linesOf = (text: string): Line[] =>
  text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Line)
const GEAR = 'Vehicle.Powertrain.Transmission.SelectedGear'
const DOOR = 'Vehicle.Cabin.Door.Row1.DriverSide.IsOpen'
const LOCK = 'Vehicle.Cabin.Door.Row1.DriverSide.IsLocked'
const CABLE = 'Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected'
const TARGET = 'Vehicle.Powertrain.TractionBattery.BatteryConditioning.TargetTime'

describe('the sample traces', () => {
  const made = makeTraces(SAMPLE_SEED)

  test('are ten, each a small day, and come out the same byte for byte when made again', () => {
    const names = readdirSync(folder).filter(name => name.endsWith('.jsonl'))
    expect(names.sort()).toEqual(made.map(({ name }) => name))
    for (const { name, text } of made) {
      expect(text, name).toBe(readFileSync(new URL(name, folder), 'utf8'))
      expect(Buffer.byteLength(text), name).toBeLessThanOrEqual(20_000)
      const times = linesOf(text).map(({ t }) => t)
      expect(times).toEqual([...times].sort((left, right) => left - right))
      expect(times.at(-1)! - times[0]!).toBeLessThan(DAY_S)
    }
    expect(makeTraces(SAMPLE_SEED + 1)[0]!.text).not.toBe(made[0]!.text)
  })

  test('hold only known signals, and only a glitch gives one the wrong type', () => {
    for (const { name, text } of made)
      for (const { t, ...changes } of linesOf(text))
        for (const [path, value] of Object.entries(changes)) {
          const form = VEHICLE_SIGNALS[path as SignalPath]
          expect(form, `${name}: ${path}`).toBeDefined()
          if (value === null || value === 'NaN') continue
          if (form.kind === 'boolean') expect(typeof value, path).toBe('boolean')
          else if (form.kind === 'text') expect('allowed' in form && (form.allowed as readonly string[]).includes(String(value)), `${path} ${value}`).toBe(true)
          else if (form.kind === 'time') expect(Date.parse(String(value)), path).toBeGreaterThan(TRACE_EPOCH_MS + t * 1000)
          else expect(Number.isFinite(value), path).toBe(true)
        }
  })

  test('hold glitches of every kind', () => {
    const lines = made.flatMap(({ text }) => linesOf(text))
    expect(lines.some(line => line['Vehicle.Speed'] === null)).toBe(true)
    expect(lines.some(line => Object.values(line).includes('NaN'))).toBe(true)
    expect(lines.some(line => line['Vehicle.Speed'] === 3 || line[GEAR] === -1 || line['Vehicle.LowVoltageSystemState'] === 'START')).toBe(true)
  })
})

describe('a trace', () => {
  const stays = drawStays({ seed: 5, days: 28, car: 3, pluggedShare: 0.9 })
  const lines = linesOf(writeTrace({ stays, seed: 5, fromS: 0, untilS: 28 * DAY_S, glitches: 0 }))

  test('parks and leaves at the seconds of its stays', () => {
    const left = lines.filter(line => line[GEAR] === 127).map(({ t }) => t)
    expect(left).toEqual(stays.map(({ leaveS }) => leaveS).filter(leaveS => leaveS < 28 * DAY_S))
    const parked = lines.filter(line => line[GEAR] === 126 && line.t > 0).map(({ t }) => t)
    expect(parked).toEqual(stays.map(({ arriveS }) => arriveS + 2).filter(at => at > 0 && at < 28 * DAY_S))
  })

  test('opens the door 20 to 60 s before the gear, after the unlocking and the unplugging', () => {
    for (const { leaveS, announced, pluggedUntilS } of stays.filter(({ leaveS }) => leaveS < 28 * DAY_S)) {
      const before = lines.filter(({ t }) => t >= leaveS - 300 && t <= leaveS)
      const opened = before.findLast(line => line[DOOR] === true)!.t
      expect(leaveS - opened).toBeGreaterThanOrEqual(20)
      expect(leaveS - opened).toBeLessThanOrEqual(60)
      const unlocked = before.findLast(line => line[LOCK] === false)!.t
      expect(unlocked).toBeLessThan(opened)
      if (pluggedUntilS !== null) {
        expect(before.findLast(line => line[CABLE] === false)!.t).toBe(pluggedUntilS)
        expect(unlocked).toBeLessThan(pluggedUntilS)
      }
      const first = Math.min(opened, pluggedUntilS ?? opened)
      if (announced) expect(first - unlocked).toBeGreaterThanOrEqual(30)
      else expect(first - unlocked).toBe(1)
    }
  })

  test('tells the planned departure soon after arrival, and withdraws it when the car leaves', () => {
    const told = lines.flatMap(line => (typeof line[TARGET] === 'string' ? [(Date.parse(line[TARGET]) - TRACE_EPOCH_MS) / 1000] : []))
    expect(told).toEqual(stays.map(({ plannedLeaveS }) => plannedLeaveS).slice(0, told.length))
    expect(told.length).toBe(stays.length)
    expect(lines.filter(line => line[TARGET] === null).length).toBe(stays.filter(({ leaveS }) => leaveS < 28 * DAY_S).length)
  })

  test('says the truth again within three minutes of a glitch', () => {
    const final = (of: readonly Line[], untilS: number) => Object.assign({}, ...of.filter(({ t }) => t <= untilS), { t: untilS })
    const short = drawStays({ seed: 5, days: 2, car: 3 })
    let found = 0
    for (let seed = 1; seed <= 40; seed++) {
      const of = (glitches: number) => linesOf(writeTrace({ stays: short, seed, glitches }))
      const truth = of(0)
      const known = new Set(truth.map(line => JSON.stringify(line)))
      const wrong = of(1).filter(line => !known.has(JSON.stringify(line)))
      if (wrong.length === 0) continue
      found++
      const [first, last] = [wrong[0]!.t, wrong.at(-1)!.t]
      expect(last - first).toBeLessThanOrEqual(180)
      expect(final(of(1), first)).not.toEqual(final(truth, first))
      expect(final(of(1), last)).toEqual(final(truth, last))
    }
    expect(found).toBeGreaterThan(30)
  })

  test('needs stays and time', () => {
    expect(() => writeTrace({ stays: [], seed: 1 })).toThrow('draw some with drawStays')
    expect(() => writeTrace({ stays, seed: 1, fromS: 5, untilS: 5 })).toThrow('give a later end')
  })
})
