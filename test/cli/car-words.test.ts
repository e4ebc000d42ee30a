import { expect, test } from 'vitest'
import type { AdminStatus } from '../../src/cli/admin/methods.ts'
import { describeTestnet } from '../../src/cli/testnet/testnet-status.ts'
import { shortCharge, shortEnergy, shortReason, whereforeOf } from '../../src/cli/vehicle/car-words.ts'
import { describeUnderpaid } from '../../src/cli/vehicle/describe-car.ts'
import type { FitnessReason } from '../../src/energy/fitness.ts'
import { identifyProcess } from '../../src/testnet/process-identity.ts'

const reason = (code: FitnessReason['code'], text: string): FitnessReason => ({ code, text, planned: false })
const energy = { marginalMj: 900, attributedMj: 1234, restMj: 0, tasks: 1, by: 'estimated', meter: 'cpu-time' } as const

function status(state: 'parked' | 'leaving' | 'away', reasons: readonly FitnessReason[]): AdminStatus {
  const today = { day: '2024-01-01', energyMj: 0, networkBytes: 0, updatedUnixMs: 0 }
  return {
    peerId: null,
    addresses: [],
    connections: 0,
    links: 0,
    client: { leases: 0, submitted: 0, done: 0, failed: 0, moved: 0, droppedLate: 0 },
    account: null,
    pid: process.pid,
    dataFolder: '/',
    story: { joined: { reason: 'parked and fit, plugged in', atUnixMs: 1 }, left: { reason: 'the driver’s door is open', atUnixMs: 2 } },
    car: {
      state,
      slots: 1,
      running: 0,
      queued: 0,
      done: 3,
      failed: 0,
      handedBack: 1,
      heard: 0,
      underpaid: null,
      joins: 1,
      energy,
      models: [],
      vehicle: { source: 'trace', state: 'live', trouble: null, reasons, batteryPercent: 54.4, pluggedIn: true, planned: null, today }
    }
  }
}

test('a car says why it is there, why it is not, and what the driver does before what a sensor doesn’t tell', () => {
  expect(whereforeOf(status('parked', []))).toBe('parked and fit, plugged in')
  const reasons = [reason('signal-invalid', 'the car tells nothing sensible about the speed'), reason('not-in-park', 'the gear isn’t in Park')]
  expect(whereforeOf(status('away', reasons))).toBe('the gear isn’t in Park (and 1 more)')
  expect(whereforeOf(status('away', []))).toBe('fit, and about to join')
  expect(whereforeOf(status('leaving', reasons.slice(1)))).toBe('the gear isn’t in Park')
})

test('a car that is too dear says so, and how it would not be', () => {
  const asks = { price: 120, unit: 'EUR' }
  expect(describeUnderpaid({ heard: 3, asks, offered: { price: 0, unit: 'XXX' } })).toBe(
    'it asks for 0.000120 EUR a task; 3 announcements paid less, the last nothing. To work for nothing while plugged in, set price.electricityPerKwh to 0 in the policy'
  )
  expect(describeUnderpaid({ heard: 3, asks, offered: { price: 100, unit: 'EUR' } })).toContain('the last 0.000100 EUR at most')
})

test('figures come with where they are from, or say that there are none', () => {
  expect([shortEnergy(energy), shortEnergy({ attributedMj: 0, by: 'unknown' })]).toEqual(['1.2 J estimated', 'unknown'])
  expect([shortCharge(54.4), shortCharge(null), shortCharge(undefined)]).toEqual(['54 %', '–', '–'])
  expect(shortReason('one')).toBe('one')
})

test('the table of a day tells time, state, battery, plug, tasks, joules and reason of each car, and of one that is gone', () => {
  const day = { scenario: 'commute', seed: 7, speed: 600, epochUnixMs: 0, fromS: 0, untilS: 86_400, startUnixMs: 0, entrances: [] }
  const car = (name: string, pid: number) => ({ name, ...identifyProcess(pid), peerId: '', addresses: [], dataFolder: '/' })
  const here = car('car-1', process.pid)
  const gone = { ...car('car-2', process.pid), startTicks: '1' }
  const cars = [
    { car: here, now: status('parked', []) },
    { car: gone, now: undefined },
    { car: here, now: status('away', []) }
  ]
  const text = describeTestnet({ v: 1, command: ['node'], slots: 1, publisher: '', models: [], day, cars: [here, gone] }, cars, 60_000)
  const [head, , heading, first, second, third] = text.split('\n')
  expect(head).toBe('commute, seed 7, 600 times as fast as real time: it is 10:00')
  expect(heading).toMatch(/^car +peer +state +running +done +handed back +energy +battery +plugged in +why$/)
  expect(first).toMatch(/^car-1 +– +parked +0 +3 +1 +1\.2 J estimated +54 % +yes +parked and fit, plugged in$/)
  expect(second).toMatch(/^car-2 +– +killed .* its process has ended$/)
  expect(third).toMatch(/ joining .* fit, and about to join$/)
})
