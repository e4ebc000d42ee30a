import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import type { CarEvent, CarOptions } from '../../../src/car/car.ts'
import type { JobOutcome } from '../../../src/client/client.ts'
import { type OwnerPolicy, parsePolicy } from '../../../src/energy/owner-policy.ts'
import { addToDay, emptyDay, ownerDaysSchema } from '../../../src/energy/report/owner-day.ts'
import { decodeLeaf } from '../../../src/ledger/leaf.ts'
import { decodeReceipt } from '../../../src/ledger/receipt.ts'
import type { Peer } from '../../../src/peer.ts'
import type { Tensor } from '../../../src/protocol/tensor.ts'
import type { Told } from '../../energy/parked-signals.ts'
import { noopModel, sleepyModel } from '../../fixtures/models/make.ts'
import { type LocalMesh, openLocalMesh } from '../../local-mesh.ts'
import { createScriptedVehicle, DOOR_OPEN, DOOR_SHUT, type ScriptedVehicle } from './scripted-vehicle.ts'

let mesh: LocalMesh
const open = (): LocalMesh => {
  mesh = openLocalMesh()
  return mesh
}
afterEach(() => mesh.close())

/** A volunteer's policy: nothing is asked for, so that a client that pays nothing is served. */
const POLICY = parsePolicy('optedIn: true\ntimeZone: Europe/Berlin\nprice: {electricityPerKwh: 0}\n')
const NUMBER: Tensor = { type: 'float32', dims: [1], data: new Uint8Array(Float32Array.of(1).buffer) }
const BYTES: Tensor = { type: 'uint8', dims: [1], data: Uint8Array.of(1) }
const SYSTEM = { monotonicMs: () => performance.now(), unixMs: () => Date.now() }

interface VehicleCar {
  readonly peer: Peer
  readonly vehicle: ScriptedVehicle
  readonly events: CarEvent[]
  /** When each event came, by performance.now. */
  readonly times: number[]
}

async function addVehicleCar(options: Partial<CarOptions> & { readonly told?: Told } = {}, dataFolder?: string): Promise<VehicleCar> {
  const { told = {}, ...car } = options
  const vehicle = createScriptedVehicle(SYSTEM.monotonicMs, SYSTEM.unixMs)
  vehicle.tell(told)
  const events: CarEvent[] = []
  const times: number[] = []
  const peer = await mesh.addCar(
    {
      vehicle: vehicle.source,
      ownerPolicy: POLICY,
      gate: { settleMs: 100, joinEveryMs: 400 },
      onEvent: event => {
        events.push(event)
        times.push(performance.now())
      },
      ...car
    },
    dataFolder === undefined ? {} : { dataFolder }
  )
  return { peer, vehicle, events, times }
}

async function eventually(check: () => boolean, what: string): Promise<number> {
  const until = performance.now() + 25_000
  while (!check()) {
    if (performance.now() > until) throw new Error(`never: ${what}`)
    await delay(5)
  }
  return performance.now()
}

const isHere = ({ peer }: VehicleCar): boolean => peer.car?.status().state === 'parked'
const isAway = ({ peer }: VehicleCar): boolean => peer.car?.status().state === 'away' && peer.status().peerId === null
const has = ({ events }: VehicleCar, type: CarEvent['type']): boolean => events.some(event => event.type === type)
const joinsOf = ({ events }: VehicleCar): number => events.filter(({ type }) => type === 'joined').length
const workersOf = ({ peer }: VehicleCar): number[] => (peer.car?.status().models ?? []).flatMap(({ workerPids }) => workerPids)
const isRunning = (pid: number): boolean => existsSync(`/proc/${pid}`) || process.platform !== 'linux'

/** Children of this process that run the worker's program. */
function workerProcesses(): number {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').split(' ')
  return children.filter(pid => pid !== '' && readIfThere(`/proc/${pid}/cmdline`).includes('inference/worker/main')).length
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

async function collect(outcomes: AsyncIterable<JobOutcome>): Promise<JobOutcome[]> {
  const all: JobOutcome[] = []
  for await (const outcome of outcomes) all.push(outcome)
  return all
}

describe('a car with a vehicle', () => {
  it('joins by itself when the vehicle is fit, and says why it did and why it left', async () => {
    const { addModel: add } = open()
    await add('noop', noopModel())
    const car = await addVehicleCar({ told: DOOR_OPEN })
    expect(isAway(car)).toBe(true)
    expect(car.peer.car?.status().vehicle?.reasons.map(({ text }) => text)).toContain('the driver’s door is open')
    car.vehicle.tell(DOOR_SHUT)
    await eventually(() => isHere(car), 'the car joins')
    expect(car.events.find(({ type }) => type === 'joined')).toMatchObject({ why: 'parked and fit, plugged in, battery at 60 %' })
    expect(car.peer.car?.status()).toMatchObject({ joins: 1, vehicle: { reasons: [], batteryPercent: 60, pluggedIn: true } })
    car.vehicle.tell(DOOR_OPEN)
    await eventually(() => isAway(car), 'the car leaves')
    expect(car.events.find(({ type }) => type === 'left')).toMatchObject({ reason: 'the driver’s door is open' })
  })

  it('at an open door admits no more, tells clients, stops its worker, and its tasks end on another car, each once', async () => {
    const { addModel: add, addClient } = open()
    // Two of them are on a car, and it has less time than the second needs.
    await add('sleepy', sleepyModel(900))
    const car = await addVehicleCar()
    await eventually(() => isHere(car), 'the car joins')
    const other = await addVehicleCar()
    await eventually(() => isHere(other), 'the other car joins')
    const client = await addClient()
    const moved: string[] = []
    const keys = Array.from({ length: 8 }, (_, index) => `task ${index}`)
    let leaving: number | undefined
    const job = collect(
      client.submit({
        model: 'sleepy',
        tasks: keys.map(key => ({ key, inputs: { x: NUMBER } })),
        onEvent: event => {
          if (event.type === 'moved') moved.push(event.key)
          if (event.type === 'moved') leaving ??= performance.now()
        }
      })
    )
    await eventually(() => [car, other].every(({ peer }) => (peer.car?.status().done ?? 0) > 0 && peer.car?.status().running === 2), 'both cars work')
    const workers = workersOf(car)
    expect(workers.length).toBeGreaterThan(0)
    const signalMs = performance.now()
    car.vehicle.tell(DOOR_OPEN)
    const closedMs = await eventually(() => car.peer.car?.status().state !== 'parked', 'admission closes')
    const goneMs = await eventually(() => !workers.some(isRunning), 'the worker is gone')
    const outcomes = await job
    const figures = { closedMs: closedMs - signalMs, goneMs: goneMs - signalMs, movedMs: (leaving ?? Number.NaN) - signalMs }
    console.info('after the signal, ms:', Object.fromEntries(Object.entries(figures).map(([name, ms]) => [name, Math.round(ms)])))
    // The product promises 1 s and 2 s; a test machine may be busy with other things.
    expect(figures.closedMs).toBeLessThan(5000)
    expect(figures.goneMs).toBeLessThan(10_000)
    expect(outcomes.filter(({ status }) => status === 'failed')).toEqual([])
    expect(outcomes.map(({ key }) => key).sort()).toEqual([...keys].sort())
    expect(moved.length).toBeGreaterThan(0)
    const attempts = outcomes.map(outcome => (outcome.status === 'done' ? outcome.result.attempt : 0))
    expect(Math.max(...attempts)).toBeGreaterThan(1)
  })

  it.skipIf(process.platform !== 'linux')('breaks off a join when the vehicle is needed meanwhile, and leaves no process behind', async () => {
    const { addModel: add } = open()
    await add('noop', noopModel())
    const car = await addVehicleCar({ gate: { settleMs: 0, joinEveryMs: 300 } })
    await eventually(() => workerProcesses() > 0, 'a worker loads the model')
    expect(joinsOf(car)).toBe(0)
    const signalMs = performance.now()
    car.vehicle.tell(DOOR_OPEN)
    const goneMs = await eventually(() => workerProcesses() === 0, 'the worker is gone')
    console.info('the worker that was loading was gone after', Math.round(goneMs - signalMs), 'ms')
    expect(goneMs - signalMs).toBeLessThan(10_000)
    await eventually(() => isAway(car), 'the car is away')
    expect(joinsOf(car)).toBe(0)
    car.vehicle.tell(DOOR_SHUT)
    await eventually(() => isHere(car), 'it joins at last')
  })

  it('joins at most once in the gate’s time, however the door flaps', async () => {
    const { addModel: add } = open()
    await add('noop', noopModel())
    const joinEveryMs = 2500
    const car = await addVehicleCar({ gate: { settleMs: 20, joinEveryMs } })
    const beganMs = performance.now()
    while (performance.now() - beganMs < 6000) {
      car.vehicle.tell(DOOR_OPEN)
      await delay(60)
      car.vehicle.tell(DOOR_SHUT)
      await delay(60)
    }
    const lastedMs = performance.now() - beganMs
    expect(joinsOf(car)).toBeLessThanOrEqual(Math.ceil(lastedMs / joinEveryMs))
  })

  it('leaves at once when the owner withdraws consent, and comes back with it', async () => {
    const { addModel: add } = open()
    await add('noop', noopModel())
    const car = await addVehicleCar()
    await eventually(() => isHere(car), 'the car joins')
    const workers = workersOf(car)
    car.peer.car?.setOwnerPolicy({ ...POLICY, optedIn: false })
    expect(car.peer.car?.status().state).not.toBe('parked')
    await eventually(() => !workers.some(isRunning) && isAway(car), 'the car is gone')
    car.peer.car?.setOwnerPolicy(POLICY)
    await eventually(() => isHere(car), 'the car is back')
  })

  it('drains ahead of a planned end: takes what it can finish, and is empty in time', async () => {
    const { addModel: add, addClient } = open()
    await add('sleepy', sleepyModel(100))
    const car = await addVehicleCar()
    await eventually(() => isHere(car), 'the car joins')
    const client = await addClient()
    await client.run('sleepy', { x: NUMBER })
    const endsMs = Date.now() + 8000
    car.vehicle.tell({
      'Vehicle.Powertrain.TractionBattery.Charging.Timer.Mode': 'END_TIME',
      'Vehicle.Powertrain.TractionBattery.Charging.Timer.Time': new Date(endsMs).toISOString()
    })
    await eventually(() => car.peer.car?.status().vehicle?.planned?.code === 'charging-timer', 'the end is seen')
    const handedBack = car.peer.car?.status().handedBack
    await client.run('sleepy', { x: NUMBER })
    await eventually(() => isAway(car), 'the car is gone')
    expect(Date.now()).toBeLessThan(endsMs + 3000)
    expect(car.peer.car?.status().handedBack).toBe(handedBack)
    expect(car.events.find(({ type }) => type === 'left')).toMatchObject({ reason: expect.stringContaining('charging is timed to end') })
  })

  it('leaves when its source is lost, and waits for it', async () => {
    const { addModel: add } = open()
    await add('noop', noopModel())
    const car = await addVehicleCar()
    await eventually(() => isHere(car), 'the car joins')
    car.vehicle.become('lost', 'the broker went away')
    await eventually(() => isAway(car), 'the car leaves')
    expect(car.peer.car?.status().vehicle).toMatchObject({ state: 'lost', trouble: 'the broker went away' })
    expect(car.peer.car?.status().vehicle?.reasons[0]?.text).toContain('the broker went away')
    car.vehicle.become('live')
    await eventually(() => isHere(car), 'the car is back')
  })

  it('tries again when it can’t join, and says why', async () => {
    open()
    const car = await addVehicleCar({ models: ['noop'] })
    await eventually(() => has(car, 'join-failed'), 'the join fails')
    expect(car.events.find(({ type }) => type === 'join-failed')).toMatchObject({ reason: expect.stringContaining('noop'), retryInMs: 1000 })
    await mesh.addModel('noop', noopModel())
    await eventually(() => isHere(car), 'the car joins')
  })

  it('stays away while the owner drives, whatever the vehicle says, until it is parked', async () => {
    const { addModel: add } = open()
    await add('noop', noopModel())
    const car = await addVehicleCar()
    await eventually(() => isHere(car), 'the car joins')
    await car.peer.car?.depart({ reason: 'the owner wants the computer' })
    expect(isAway(car)).toBe(true)
    await delay(700)
    expect(isAway(car)).toBe(true)
    await car.peer.car?.park()
    await eventually(() => isHere(car), 'the car is back')
  })
})

describe('the owner’s policy', () => {
  const only = (allow: OwnerPolicy['allow']): OwnerPolicy => ({ ...POLICY, allow })

  it('serves only the accounts that it lists', async () => {
    const { addModel: add, addClient } = open()
    await add('noop', noopModel())
    const client = await addClient()
    const car = await addVehicleCar({ ownerPolicy: only(['00'.repeat(32)]) })
    await eventually(() => isHere(car), 'the car joins')
    await expect(client.run('noop', { x: BYTES }, { deadlineMs: 1500 })).rejects.toMatchObject({ code: 'ERR_NO_CAR' })
    car.peer.car?.setOwnerPolicy(only([client.account]))
    await eventually(() => isHere(car) && joinsOf(car) === 2, 'the car joins anew')
    await client.run('noop', { x: BYTES })
  })

  it('asks for no less than its floor', async () => {
    const { addModel: add, addClient } = open()
    await add('noop', noopModel())
    const policy = parsePolicy('optedIn: true\ntimeZone: Europe/Berlin\nprice: {electricityPerKwh: 0.36, marginPercent: 0}\n')
    const car = await addVehicleCar({ ownerPolicy: policy })
    await eventually(() => isHere(car), 'the car joins')
    const client = await addClient()
    await expect(client.run('noop', { x: BYTES }, { deadlineMs: 1500 })).rejects.toMatchObject({
      code: 'ERR_NO_CAR',
      message: expect.stringContaining('none offered at a price of at most 0: they are busy, or ask for more')
    })
    expect(car.peer.car?.status().underpaid).toMatchObject({ asks: { price: 100, unit: 'EUR' }, offered: { price: 0, unit: 'XXX' } })
    const { receipt } = await client.run('noop', { x: BYTES }, { priceCeiling: 1_000_000, unit: 'EUR' })
    // 1 kJ, as nothing is known yet: a second of the 1 kW that the computer may draw.
    expect(decodeLeaf(decodeReceipt(receipt).leaf).price).toEqual({ amount: 100, unit: 'EUR' })
  })

  it('names joules in receipts with their provenance, and keeps the day’s use across restarts', async () => {
    const { addModel: add, addClient, folder } = open()
    await add('sleepy', sleepyModel(60))
    const dataFolder = join(folder, 'car')
    const energy = { sysfsRoot: join(folder, 'no-sysfs'), wattsPerCore: 10, idleWatts: 5 }
    const without: Told = { 'Vehicle.ControlUnit.Central.Health.Resources.Power': null }
    const car = await addVehicleCar({ energy, told: without }, dataFolder)
    await eventually(() => isHere(car), 'the car joins')
    const client = await addClient()
    const { receipt } = await client.run('sleepy', { x: NUMBER })
    const { energy: first } = decodeLeaf(decodeReceipt(receipt).leaf)
    expect(first.by).toBe('estimated')
    expect(first.attributedMj).toBeGreaterThan(100)
    expect(first.attributedMj).toBeGreaterThanOrEqual(first.marginalMj)
    expect(car.peer.car?.status().energy).toMatchObject({ tasks: 1, by: 'estimated', meter: 'cpu-time' })
    const today = car.peer.car?.status().vehicle?.today
    expect(today?.energyMj).toBeGreaterThanOrEqual(first.attributedMj)
    expect(today?.networkBytes).toBeGreaterThan(1000)
    await car.peer.stop()
    for (const name of ['usage.json', 'report.json']) expect(statSync(join(dataFolder, name)).mode & 0o777, name).toBe(0o600)
    const { days } = ownerDaysSchema.parse(JSON.parse(readFileSync(join(dataFolder, 'report.json'), 'utf8')))
    const booked = days.reduce(addToDay, emptyDay('2000-01-01'))
    expect(booked).toMatchObject({ stays: 1, done: 1, unpluggedMj: 0, carbon: {} })
    expect(booked.runs).toEqual({ estimated: { count: 1, marginalMj: first.marginalMj, attributedMj: first.attributedMj } })
    expect(booked.idleMj.estimated).toBeGreaterThanOrEqual(0)
    const again = await addVehicleCar({ energy, told: without }, dataFolder)
    expect(again.peer.car?.status().vehicle?.today.energyMj).toBeGreaterThanOrEqual(today?.energyMj ?? 0)
  })

  it('keeps nothing of a trace that is played in the owner’s report', async () => {
    const { addModel: add, folder } = open()
    await add('noop', noopModel())
    const dataFolder = join(folder, 'car')
    const car = await addVehicleCar({ vehicleClock: SYSTEM }, dataFolder)
    await eventually(() => isHere(car), 'the car joins')
    await car.peer.stop()
    expect(existsSync(join(dataFolder, 'car.lock'))).toBe(true)
    expect(existsSync(join(dataFolder, 'report.json'))).toBe(false)
  })
})
