import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { entrancesFor, skipDay, vehicleOf } from '../../src/testnet/fleet-day.ts'
import { freePorts } from '../../src/testnet/free-ports.ts'
import { dayTimeS, readTestnet, type TestnetState, writeTestnet } from '../../src/testnet/testnet-state.ts'
import { parseVehicleAddress } from '../../src/vehicle/vehicle-address.ts'

const NOON = Date.UTC(2026, 0, 1, 12)
const day = {
  scenario: 'commute',
  seed: 1,
  speed: 600,
  epochUnixMs: Date.UTC(2024, 0, 1),
  fromS: 3600,
  untilS: 86_400,
  startUnixMs: NOON,
  entrances: Array.from({ length: 12 }, (_, index) => `/ip4/127.0.0.1/tcp/${20_000 + index}`)
}
const state: TestnetState = { v: 1, command: ['node'], slots: 1, publisher: 'ab'.repeat(32), models: [], day, cars: [] }

test('the day goes on at its speed from the second at which it began', () => {
  expect([dayTimeS(day, NOON), dayTimeS(day, NOON + 6_000)]).toEqual([3600, 7200])
})

test('the address of a car’s vehicle says the same time of day to all', () => {
  expect(parseVehicleAddress(vehicleOf('/net & more?/car-1', day))).toEqual({
    source: 'trace',
    path: '/net & more?/car-1/trace.jsonl',
    speed: 600,
    fromS: 3600,
    untilS: 86_400,
    startUnixMs: NOON,
    epochUnixMs: day.epochUnixMs
  })
})

test('a skip is kept for cars that start later, and never goes back', () => {
  const folder = mkdtempSync(join(tmpdir(), 'motorpool-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeTestnet(folder, state)
  skipDay(folder, 30_000, NOON + 6_000)
  expect(dayTimeS(readTestnet(folder).day!, NOON + 6_000)).toBe(30_000)
  skipDay(folder, 20_000, NOON + 7_000)
  expect(dayTimeS(readTestnet(folder).day!, NOON + 7_000)).toBe(30_600)
})

test('cars look for few others, none for itself, and each is looked for by some', () => {
  const lookedFor = new Set<string>()
  for (let number = 1; number <= 12; number++) {
    const found = entrancesFor(day, number)
    expect(found).toHaveLength(4)
    expect(found).not.toContain(day.entrances[number - 1])
    for (const each of found) lookedFor.add(each)
  }
  expect(lookedFor.size).toBe(12)
  expect(entrancesFor({ ...day, entrances: day.entrances.slice(0, 1) }, 1)).toEqual([])
})

test('free ports are different, can be listened on, and are none that the system gives to connections', async () => {
  const ports = await freePorts(20)
  expect(new Set(ports).size).toBe(20)
  for (const port of ports) {
    expect(port).toBeLessThan(32_768)
    const server = createServer()
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
    await new Promise(resolve => server.close(resolve))
  }
})
