import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type ManualOptions, openManual } from '../../src/vehicle/manual/open-manual.ts'
import { isManual, openVehicleSource } from '../../src/vehicle/open-vehicle-source.ts'
import { GEAR, readingOf, until, vehicleContract } from './vehicle-contract.ts'

const CABLE = 'Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected'
const CHARGE = 'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current'

vehicleContract('manual', async () => {
  const source = openManual({ refreshMs: 20 })
  return { source, drive: () => source.drive(), close: () => {} }
})

function open(options: ManualOptions) {
  const source = openManual({ refreshMs: 20, ...options })
  onTestFinished(() => source.stop())
  const values = () => Object.fromEntries([...source.signals()].map(([path, { value }]) => [path, value]))
  return { source, values }
}

const PARKED = { 'Vehicle.Motorpool.IsOptedIn': true, [GEAR]: 126, 'Vehicle.Speed': 0, 'Vehicle.IsMoving': false }

test('parking and driving set what the person can vouch for, and nothing else', () => {
  const { source, values } = open({ isPluggedIn: true })
  expect(values()).toEqual({ ...PARKED, [CABLE]: true })
  source.drive('to the sea')
  expect(values()).toEqual({ ...PARKED, [CABLE]: true, [GEAR]: 127, 'Vehicle.Speed': null, 'Vehicle.IsMoving': null })
  expect(source.trouble()).toBe('to the sea')
  source.park()
  expect(values()).toEqual({ ...PARKED, [CABLE]: true })
  expect(source.trouble()).toBeUndefined()
})

test('not parked at the beginning, it says nothing of the gear until it is', () => {
  const { source, values } = open({ isParked: false })
  expect(values()).toEqual({})
  source.park()
  expect(values()).toEqual(PARKED)
})

test('plug and battery of the machine are read while it runs; the person’s word goes first', async () => {
  const root = mkdtempSync(join(tmpdir(), 'motorpool-power-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const set = (name: string, files: Record<string, string>) => {
    mkdirSync(join(root, name), { recursive: true })
    for (const [file, text] of Object.entries(files)) writeFileSync(join(root, name, file), text)
  }
  set('AC', { type: 'Mains\n', online: '1\n' })
  set('BAT0', { type: 'Battery\n', status: 'Charging\n', capacity: '40\n' })
  const { source } = open({ powerSupply: root })
  const vouching = open({ powerSupply: root, isPluggedIn: true }).source
  await until(source, () => readingOf(source, CABLE)?.value === true && readingOf(source, CHARGE)?.value === 40)
  set('AC', { online: '0\n' })
  set('BAT0', { status: 'Discharging\n', capacity: '39\n' })
  await until(source, () => readingOf(source, CABLE)?.value === false && readingOf(source, CHARGE)?.value === 39)
  await until(vouching, () => readingOf(vouching, CHARGE)?.value === 39)
  expect(readingOf(vouching, CABLE)?.value).toBe(true)
  rmSync(root, { recursive: true })
  await until(source, () => source.trouble()?.includes('cannot be read') === true)
  const { arrivedMs } = readingOf(source, CABLE)!
  const { arrivedMs: gearMs } = readingOf(source, GEAR)!
  await until(source, () => readingOf(source, GEAR)!.arrivedMs > gearMs)
  expect(readingOf(source, CABLE)?.arrivedMs).toBe(arrivedMs)
})

test('an address opens its source, and only a manual one can drive', async () => {
  const manual = await openVehicleSource('manual:?plugged=true')
  onTestFinished(() => manual.stop())
  expect(isManual(manual)).toBe(true)
  const folder = mkdtempSync(join(tmpdir(), 'motorpool-trace-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'day.jsonl'), '{"t":0,"Vehicle.Speed":0}\n{"t":9999}\n')
  const trace = await openVehicleSource(`trace:${join(folder, 'day.jsonl')}?speed=2`)
  onTestFinished(() => trace.stop())
  expect([trace.name, isManual(trace)]).toEqual(['trace', false])
  await expect(openVehicleSource(`kuksas://127.0.0.1?caFile=${join(folder, 'none')}`)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
  await expect(openVehicleSource(`kuksas://127.0.0.1?caFile=${join(folder, 'day.jsonl')}`)).rejects.toThrow('holds no certificate')
  await expect(openVehicleSource('teleport:')).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
})
