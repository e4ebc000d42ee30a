import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { plannedDeparture } from '../../src/energy/departure-forecast.ts'
import { judgeFitness } from '../../src/energy/fitness.ts'
import { parsePolicy } from '../../src/energy/owner-policy.ts'
import { noUsage } from '../../src/energy/owner-usage.ts'
import type { SignalPath, SignalReading, SignalValue } from '../../src/protocol/vehicle/signals.ts'

const traces = new URL('../fixtures/traces/', import.meta.url)
const days = readdirSync(traces).filter(name => name.endsWith('.jsonl'))
const policy = parsePolicy('optedIn: true\nbattery: {pluggedInOnly: false}')
const MIDNIGHT = Date.parse('2024-01-01T00:00Z')

test.each(days)('%s: fit at some time, never while the trace tells motion, a gear, a door or a person', name => {
  const told = new Map<SignalPath, SignalReading>()
  const usage = noUsage(MIDNIGHT, policy)
  let fitLines = 0
  let foretold = 0
  for (const line of readFileSync(new URL(name, traces), 'utf8').trim().split('\n')) {
    const { t, ...changes } = JSON.parse(line) as { t: number } & Record<string, SignalValue | null>
    for (const [path, value] of Object.entries(changes)) told.set(path as SignalPath, { value, arrivedMs: 0 })
    const nowUnixMs = Math.max(MIDNIGHT, MIDNIGHT + t * 1000)
    const fitness = judgeFitness({ signals: told, policy, nowMonotonicMs: 0, nowUnixMs, usage })
    const value = (path: SignalPath) => told.get(path)?.value
    const isNeeded =
      value('Vehicle.IsMoving') !== false ||
      value('Vehicle.Speed') !== 0 ||
      value('Vehicle.Powertrain.Transmission.SelectedGear') !== 126 ||
      [...told].some(
        ([path, reading]) => (path.endsWith('IsOpen') && reading.value !== false) || (path.endsWith('OccupancyStatus') && reading.value !== 'EMPTY')
      )
    expect(fitness.fit && isNeeded, line).toBe(false)
    if (fitness.fit) fitLines++
    const planned = plannedDeparture({ signals: told, policy, nowUnixMs, usage })
    if (planned?.code === 'charging-timer' || planned?.code === 'conditioning') foretold++
  }
  expect(fitLines).toBeGreaterThan(0)
  expect(foretold).toBeGreaterThan(0)
})
