import mqtt, { type MqttClient } from 'mqtt'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openTesla, type TeslaOptions } from '../../src/vehicle/tesla/open-tesla.ts'
import type { VehicleSource } from '../../src/vehicle/vehicle-source.ts'
import { MOSQUITTO, type MqttBroker, startAedes, startMosquitto } from './mqtt-brokers.ts'
import { GEAR, PARK, readingOf, until, vehicleContract } from './vehicle-contract.ts'

const VIN = '5YJ3E1EA7KF000316'
const BASE = 'telemetry'
const CHARGE = 'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current'
const QUICK = { refreshMs: 50, backOff: { firstMs: 20, mostMs: 100, soundMs: 1000 } }

/** What publishes a car's telemetry, as Tesla's dispatcher does: QoS 0, not retained, so only who listens hears it. */
interface Dispatcher {
  readonly tell: (field: string, payload: string, vin?: string) => Promise<void>
  readonly connectivity: (status: string, id?: string) => Promise<void>
  readonly client: MqttClient
}

async function openDispatcher(url: string, password?: string): Promise<Dispatcher> {
  const client = await mqtt.connectAsync(url, { reconnectPeriod: 0, username: 'fleet', password })
  const publish = async (topic: string, payload: string): Promise<void> => {
    await client.publishAsync(topic, payload)
  }
  return {
    client,
    tell: (field, payload, vin = VIN) => publish(`${BASE}/${vin}/v/${field}`, payload),
    connectivity: (status, id = 'one') => publish(`${BASE}/${VIN}/connectivity`, JSON.stringify({ ConnectionId: id, Status: status }))
  }
}

const listens = (source: VehicleSource) => until(source, () => source.trouble()?.startsWith('connected to the MQTT broker') === true)
const parks = async ({ connectivity, tell }: Dispatcher): Promise<void> => {
  await connectivity('CONNECTED')
  await tell('Gear', '"ShiftStateP"')
}

function teslaContract(start: () => Promise<MqttBroker>): void {
  vehicleContract('tesla', async () => {
    const broker = await start()
    const source = openTesla({ ...QUICK, url: broker.url(), base: BASE, vin: VIN })
    let dispatcher = await openDispatcher(broker.url())
    await listens(source)
    await parks(dispatcher)
    return {
      source,
      drive: () => dispatcher.tell('Gear', '"ShiftStateD"'),
      lose: async () => {
        await dispatcher.client.endAsync(true)
        await broker.kill()
      },
      regain: async () => {
        await broker.restart()
        dispatcher = await openDispatcher(broker.url())
        await listens(source)
        await parks(dispatcher)
      },
      close: async () => {
        await dispatcher.client.endAsync(true)
        await broker.remove()
      }
    }
  })
}

describe('with aedes', () => teslaContract(startAedes))

describe('with mosquitto', () => {
  const program = MOSQUITTO
  if (program === undefined) {
    test.skip('mosquitto is not installed; apt-get install mosquitto', () => {})
    return
  }
  teslaContract(() => startMosquitto(program))

  test('a broker that hangs is lost', async () => {
    const broker = await startMosquitto(program)
    onTestFinished(broker.remove)
    const source = openTesla({ ...QUICK, url: broker.url(), base: BASE, vin: VIN })
    onTestFinished(() => source.stop())
    const dispatcher = await openDispatcher(broker.url())
    await listens(source)
    await parks(dispatcher)
    await until(source, () => source.state() === 'live')
    await dispatcher.client.endAsync(true)
    process.kill(broker.pid(), 'SIGSTOP')
    await until(source, () => source.state() === 'lost')
  })
})

/** A source that hears a car on aedes. */
async function hear(options: Partial<TeslaOptions> = {}): Promise<{ source: VehicleSource; dispatcher: Dispatcher }> {
  const broker = await startAedes()
  onTestFinished(broker.remove)
  const source = openTesla({ ...QUICK, url: broker.url(), base: BASE, vin: VIN, ...options })
  onTestFinished(() => source.stop())
  const dispatcher = await openDispatcher(broker.url())
  onTestFinished(() => dispatcher.client.endAsync(true))
  await listens(source)
  return { source, dispatcher }
}

test.each([
  ['text that is no JSON', 'parked'],
  ['half a message', '"ShiftSta'],
  ['another type', '{"gear":4}'],
  ['an empty message', ''],
  ['NaN', 'NaN'],
  ['a gear of another world', '"ShiftStateWarp"'],
  ['megabytes', 'x'.repeat(2_000_000)]
])('%s for the gear is heard as null, and named', async (_, payload) => {
  const { source, dispatcher } = await hear()
  await parks(dispatcher)
  await until(source, () => readingOf(source, GEAR)?.value === PARK)
  await dispatcher.tell('Gear', payload)
  await until(source, () => readingOf(source, GEAR)?.value === null)
  expect(source.trouble()).toContain("Tesla's Gear came in an unknown form")
  await dispatcher.tell('Gear', '"P"')
  await until(source, () => readingOf(source, GEAR)?.value === PARK)
  expect(source.trouble()).toBeUndefined()
})

test('a car that disconnects is lost, and what it told counts no longer once it is back', async () => {
  const { source, dispatcher } = await hear()
  await parks(dispatcher)
  await dispatcher.tell('Soc', '81.5')
  await until(source, () => readingOf(source, CHARGE)?.value === 81.5)
  await dispatcher.connectivity('DISCONNECTED')
  await until(source, () => source.state() === 'lost')
  expect(source.trouble()).toContain('not connected')
  await dispatcher.connectivity('CONNECTED', 'two')
  await until(source, () => source.state() === 'live')
  expect(readingOf(source, GEAR)).toBeUndefined()
  expect(readingOf(source, CHARGE)).toBeUndefined()
})

test('a car that tells nothing for too long is lost', async () => {
  const { source, dispatcher } = await hear({ silenceMs: 300 })
  await parks(dispatcher)
  await until(source, () => source.state() === 'live')
  await until(source, () => source.state() === 'lost')
  expect(source.trouble()).toContain('told nothing for too long')
  await dispatcher.tell('Soc', '50')
  await until(source, () => source.state() === 'live')
  expect(readingOf(source, GEAR)).toBeUndefined()
})

test('retained messages are of unknown age and pass by', async () => {
  const broker = await startAedes()
  onTestFinished(broker.remove)
  const dispatcher = await openDispatcher(broker.url())
  onTestFinished(() => dispatcher.client.endAsync(true))
  await dispatcher.client.publishAsync(`${BASE}/${VIN}/v/Gear`, '"ShiftStateP"', { qos: 1, retain: true })
  const source = openTesla({ ...QUICK, url: broker.url(), base: BASE, vin: VIN })
  onTestFinished(() => source.stop())
  await listens(source)
  await dispatcher.tell('Soc', '50')
  await until(source, () => readingOf(source, CHARGE)?.value === 50)
  expect(readingOf(source, GEAR)).toBeUndefined()
})

test('without a VIN the one car is heard; with two none is', async () => {
  const { source, dispatcher } = await hear({ vin: undefined })
  await parks(dispatcher)
  await until(source, () => readingOf(source, GEAR)?.value === PARK)
  await dispatcher.tell('Gear', '"ShiftStateP"', '5YJ3E1EA7KF000317')
  await until(source, () => source.state() === 'lost')
  expect(source.trouble()).toContain('several vehicles')
})

test('a broker that refuses the password says so without showing it', async () => {
  const broker = await startAedes('right')
  onTestFinished(broker.remove)
  const source = openTesla({ ...QUICK, url: broker.url(), base: BASE, vin: VIN, username: 'fleet', password: 'hunter2' })
  onTestFinished(() => source.stop())
  await until(source, () => source.trouble()?.includes('refuses user or password') === true)
  expect(source.trouble()).not.toContain('hunter2')
})

test('no VIN is in signals, trouble or output, whatever happens', async () => {
  const shown: string[] = []
  const written = [process.stdout, process.stderr].map(stream => ({ stream, write: stream.write }))
  for (const { stream } of written)
    stream.write = (chunk: string | Uint8Array) => {
      shown.push(String(chunk))
      return true
    }
  try {
    const { source, dispatcher } = await hear()
    source.onChange(() => shown.push(JSON.stringify([source.state(), source.trouble(), [...source.signals()]])))
    await parks(dispatcher)
    await until(source, () => source.state() === 'live')
    for (const payload of [`"${VIN}"`, `{"${VIN}":1}`, `"${VIN}`])
      for (const field of ['Gear', 'Soc', 'DoorState', 'Locked', VIN, 'ScheduledDepartureTime']) await dispatcher.tell(field, payload)
    await dispatcher.client.publishAsync(`${BASE}/${VIN}/connectivity`, VIN)
    await until(source, () => source.trouble()?.includes('connectivity came in an unknown form') === true)
  } finally {
    for (const { stream, write } of written) stream.write = write
  }
  expect(shown.length).toBeGreaterThan(10)
  expect(shown.filter(text => text.includes(VIN))).toEqual([])
})

test.each([
  ['a base with a wildcard', { base: '#' }],
  ['an empty base', { base: '' }],
  ['another protocol', { url: `http://127.0.0.1/${VIN}` }],
  ['a malformed VIN', { vin: `${VIN}1` }]
])('%s is refused without showing the VIN', (_, options) => {
  const open = () => openTesla({ url: 'mqtt://127.0.0.1:1', base: BASE, vin: VIN, ...options })
  expect(open).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.not.stringContaining(VIN) }))
})
