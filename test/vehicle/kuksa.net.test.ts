import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { VEHICLE_SIGNALS } from '../../src/protocol/vehicle/signals.ts'
import { type KuksaOptions, openKuksa } from '../../src/vehicle/kuksa/open-kuksa.ts'
import type { VehicleSource } from '../../src/vehicle/vehicle-source.ts'
import { type BrokerInit, type KuksaBroker, startKuksaBroker } from './kuksa-broker.ts'
import { openPublisher, startWay } from './kuksa-way.ts'
import { DRIVE, GEAR, PARK, readingOf, until, vehicleContract } from './vehicle-contract.ts'

const ALL = Object.keys(VEHICLE_SIGNALS)
const SPEED = 'Vehicle.Speed'
const MOVING = 'Vehicle.IsMoving'
const SYSTEM = 'Vehicle.LowVoltageSystemState'
const CHARGE = 'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current'
const OPT_IN = 'Vehicle.Motorpool.IsOptedIn'
const QUICK = { refreshMs: 50, backOff: { firstMs: 20, mostMs: 100, soundMs: 1000 } }

async function broker(init: Partial<BrokerInit> = {}): Promise<KuksaBroker> {
  const started = await startKuksaBroker({ paths: ALL, ...init })
  onTestFinished(() => started.kill())
  return started
}

function open(options: KuksaOptions): VehicleSource {
  const source = openKuksa({ ...QUICK, ...options })
  onTestFinished(() => source.stop())
  return source
}

const isLive = (source: VehicleSource) => () => source.state() === 'live'

vehicleContract('kuksa', async () => {
  const started = await startKuksaBroker({ paths: ALL })
  const park = () => started.publish(GEAR, { int32: PARK })
  park()
  return {
    source: openKuksa({ ...QUICK, address: started.address() }),
    drive: () => started.publish(GEAR, { int32: DRIVE }),
    lose: () => started.kill(),
    regain: async () => {
      await started.restart()
      park()
    },
    close: () => started.kill()
  }
})

const realAddress = process.env['KUKSA_ADDR']
if (realAddress === undefined) test.skip('a real databroker keeps the contract: set KUKSA_ADDR=HOST:PORT to one that may be written to')
else
  vehicleContract('kuksa', async () => {
    const publisher = openPublisher(realAddress)
    await publisher.publish(GEAR, { int32: PARK })
    const way = await startWay(realAddress)
    return {
      source: openKuksa({ ...QUICK, address: way.address() }),
      drive: () => publisher.publish(GEAR, { int32: DRIVE }),
      lose: way.cut,
      regain: way.mend,
      close: async () => {
        publisher.close()
        await way.cut()
      }
    }
  })

describe('a databroker', () => {
  test('tells all kinds of values, and unset signals as null', async () => {
    const started = await broker()
    started.publish(GEAR, { int32: -1 })
    started.publish(SPEED, { float: 0 })
    started.publish(MOVING, { bool: false })
    started.publish(SYSTEM, { string: 'LOCK' })
    started.publish(CHARGE, { double: 81.25 })
    started.publish('Vehicle.Powertrain.TractionBattery.Charging.ChargeLimit', { uint32: 80 })
    const source = open({ address: started.address() })
    await until(source, isLive(source))
    const values = Object.fromEntries([...source.signals()].map(([path, { value }]) => [path, value]))
    expect(values).toMatchObject({ [GEAR]: -1, [SPEED]: 0, [MOVING]: false, [SYSTEM]: 'LOCK', [CHARGE]: 81.25, [OPT_IN]: null })
    expect(values['Vehicle.Powertrain.TractionBattery.Charging.ChargeLimit']).toBe(80)
    expect(Object.keys(values).sort()).toEqual([...ALL].sort())
  })

  test('of an older VSS lacks paths: they are missing, the others come', async () => {
    const paths = ALL.filter(path => path !== OPT_IN && !path.includes('ControlUnit') && !path.includes('OccupancyStatus'))
    const started = await broker({ paths })
    started.publish(GEAR, { int32: PARK })
    const source = open({ address: started.address() })
    await until(source, isLive(source))
    expect([...source.signals().keys()].sort()).toEqual([...paths].sort())
    expect(started.subscriptions()).toEqual([paths])
  })

  test('withdraws a value: it becomes null', async () => {
    const started = await broker()
    started.publish(SPEED, { float: 3 })
    const source = open({ address: started.address() })
    await until(source, () => readingOf(source, SPEED)?.value === 3)
    started.publish(SPEED)
    await until(source, () => readingOf(source, SPEED)?.value === null)
    expect(source.trouble()).toBeUndefined()
  })

  test.each([
    ['a text for a speed', SPEED, { string: 'fast' }],
    ['NaN', SPEED, { double: Number.NaN }],
    ['a number for a boolean', MOVING, { int32: 0 }],
    ['a fraction of a gear', GEAR, { float: 126.5 }],
    ['a gear beyond int8', GEAR, { int32: 254 }],
    ['a state that VSS has not', SYSTEM, { string: 'SLEEPING' }],
    ['more than all charge', CHARGE, { float: 101 }],
    ['a list', SYSTEM, { string_array: { values: ['ON'] } }]
  ] as const)('that sends %s is heard with null, and named in the trouble', async (_, path, value) => {
    const started = await broker()
    started.publish(path, value)
    const source = open({ address: started.address() })
    await until(source, isLive(source))
    expect(readingOf(source, path)?.value).toBeNull()
    expect(source.trouble()).toContain(path)
    expect(source.state()).toBe('live')
  })

  test('may date values in the past or the future: the age is by arrival', async () => {
    const started = await broker()
    started.publish(SPEED, { float: 0 }, 946_684_800_250)
    started.publish(MOVING, { bool: false }, 4_102_444_800_000)
    const source = open({ address: started.address() })
    const startedMs = performance.now()
    await until(source, isLive(source))
    for (const [path, unixMs] of [
      [SPEED, 946_684_800_250],
      [MOVING, 4_102_444_800_000]
    ] as const) {
      expect(readingOf(source, path)?.statedUnixMs).toBe(unixMs)
      expect(readingOf(source, path)?.arrivedMs).toBeGreaterThanOrEqual(startedMs)
      expect(readingOf(source, path)?.arrivedMs).toBeLessThanOrEqual(performance.now())
    }
  })

  test('that restarts has forgotten all: nothing is left of before', async () => {
    const started = await broker()
    started.publish(GEAR, { int32: PARK })
    const source = open({ address: started.address() })
    await until(source, () => readingOf(source, GEAR)?.value === PARK)
    await started.restart()
    await until(source, () => source.state() === 'live' && readingOf(source, GEAR)?.value === null)
    expect([...source.signals().values()].every(({ value }) => value === null)).toBe(true)
  })

  test('that comes back without a path leaves it missing', async () => {
    const started = await broker()
    started.publish(OPT_IN, { bool: true })
    const source = open({ address: started.address() })
    await until(source, () => readingOf(source, OPT_IN)?.value === true)
    await started.restart(ALL.filter(path => path !== OPT_IN))
    await until(source, () => source.state() === 'live' && readingOf(source, GEAR)?.value === null && !source.signals().has(OPT_IN))
  })

  test('that ends the subscription in good order is lost, and found again', async () => {
    const started = await broker()
    const source = open({ address: started.address() })
    await until(source, isLive(source))
    started.endStreams()
    await until(source, () => source.state() === 'lost')
    expect(source.trouble()).toContain('ended the subscription')
    await until(source, isLive(source))
  })

  test('that stops answering is lost though the connection stands', async () => {
    const started = await broker()
    const source = open({ address: started.address(), deadlineMs: 200 })
    await until(source, isLive(source))
    const { release } = started.stall()
    await until(source, () => source.state() === 'lost')
    expect(source.trouble()).toContain('did not answer within 200 ms')
    release()
    await until(source, isLive(source))
  })

  test('cannot undo by a late answer what the subscription brought', async () => {
    const started = await broker()
    started.publish(GEAR, { int32: PARK })
    const source = open({ address: started.address() })
    await until(source, isLive(source))
    const { held, release } = started.stall()
    await held
    started.publish(GEAR, { int32: DRIVE })
    await until(source, () => readingOf(source, GEAR)?.value === DRIVE)
    const gears = new Set<unknown>()
    source.onChange(() => gears.add(readingOf(source, GEAR)?.value))
    const { arrivedMs } = readingOf(source, SPEED)!
    release()
    await until(source, () => readingOf(source, SPEED)!.arrivedMs > arrivedMs)
    expect([...gears]).toEqual([DRIVE])
  })

  test('whose subscription brings nothing more is read all the same', async () => {
    const started = await broker()
    started.publish(GEAR, { int32: PARK })
    const source = open({ address: started.address() })
    await until(source, isLive(source))
    started.mute()
    started.publish(GEAR, { int32: DRIVE })
    await until(source, () => readingOf(source, GEAR)?.value === DRIVE)
  })

  test('that is not there is tried again until it is', async () => {
    const started = await broker()
    started.kill()
    const source = open({ address: started.address() })
    await until(source, () => source.trouble()?.includes('cannot be reached') === true)
    await started.restart()
    await until(source, isLive(source))
  })

  test('refuses a wrong token, and takes a renewed one from its file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'motorpool-kuksa-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const tokenFile = join(folder, 'token')
    writeFileSync(tokenFile, 'wrong.to.ken\n')
    const started = await broker({ token: 'right.to.ken' })
    const source = open({ address: started.address(), tokenFile })
    await until(source, () => source.trouble()?.includes('refuses the token') === true)
    expect(source.trouble()).not.toContain('wrong.to.ken')
    writeFileSync(tokenFile, 'right.to.ken\n')
    await until(source, isLive(source))
  })

  test('whose token expires while connected is lost', async () => {
    const started = await broker({ token: 'first.to.ken' })
    const source = open({ address: started.address(), token: 'first.to.ken' })
    await until(source, isLive(source))
    started.setToken('second.to.ken')
    await until(source, () => source.state() === 'lost')
    expect(source.trouble()).toContain('refuses the token')
  })

  test('whose token is too narrow leaves the other signals missing', async () => {
    const started = await broker({ token: 'narrow.to.ken', readable: [SPEED, MOVING] })
    started.publish(SPEED, { float: 0 })
    const source = open({ address: started.address(), token: 'narrow.to.ken' })
    await until(source, isLive(source))
    expect([...source.signals().keys()].sort()).toEqual([MOVING, SPEED])
  })

  test('whose token allows nothing is never live', async () => {
    const started = await broker({ readable: [] })
    const source = open({ address: started.address() })
    await until(source, () => source.trouble()?.includes('none of the signals') === true)
    expect(source.state()).toBe('lost')
  })

  test('speaks TLS when its certificate is vouched for, and is not heard otherwise', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'motorpool-kuksa-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=databroker', '-days', '2']
    execFileSync('openssl', [...request, '-addext', 'subjectAltName=DNS:databroker', '-keyout', key, '-out', certificate], { stdio: 'ignore' })
    const tls = { key: readFileSync(key), certificate: readFileSync(certificate) }
    const started = await broker({ tls, token: 'right.to.ken' })
    const trusting = open({ address: started.address(), tls: { ca: tls.certificate, serverName: 'databroker' }, token: 'right.to.ken' })
    await until(trusting, isLive(trusting))
    const wary = open({ address: started.address(), tls: { serverName: 'databroker' }, token: 'right.to.ken' })
    await until(wary, () => wary.trouble()?.includes('cannot be reached') === true)
  })
})

test('a token is not sent in the clear to another machine', () => {
  expect(() => openKuksa({ address: '192.0.2.7:55555', token: 'a.b.c' })).toThrow('in the clear')
  expect(() => openKuksa({ address: '192.0.2.7:55555', tokenFile: '/token' })).toThrow('in the clear')
})

test('a token that would break the header is named and not shown', async () => {
  const started = await broker()
  const source = open({ address: started.address(), token: 'secret\nline' })
  await until(source, () => source.trouble()?.includes('the token is none') === true)
  expect(source.trouble()).not.toContain('secret')
})
