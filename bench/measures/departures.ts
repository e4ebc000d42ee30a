import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { JobTask } from '../../src/client/client.ts'
import { verifyReceipt } from '../../src/ledger/verify-receipt.ts'
import { openModelStore } from '../../src/models/model-store.ts'
import { createPeer, type Peer } from '../../src/peer.ts'
import { signerFromSeed } from '../../src/protocol/signer.ts'
import type { Tensor } from '../../src/protocol/tensor.ts'
import type { SignalPath, SignalValue } from '../../src/protocol/vehicle/signals.ts'
import { seededRandom } from '../../src/simulator/seeded-random.ts'
import { sleepyModel } from '../../test/fixtures/models/make.ts'
import { createScratch } from '../child-processes.ts'
import type { Measure, Row } from '../measure.ts'
import { startVehicleCar, type VehicleCar } from '../vehicle-fleet.ts'

const SEED = 5
const CARS = 3
/** A car that is new here hasn't ended one when it leaves: it can't tell whether what it runs would end in time, so that moves. */
const TASK_MS = 60
/** Tasks come in bursts, and between two of them the cores are left to cars that join. */
const BURST_TASKS = CARS
const BURST_EVERY_MS = 800
/** So soon should a burst be done: then the client holds leases at several cars. */
const TARGET_MS = TASK_MS
/** No burst comes while so many are open. */
const OPEN_MOST = 4 * BURST_TASKS
/** The others stay meanwhile, so that the load has somewhere to go. */
const AWAY_MOST = 1
/** How long a car stays, ms: on two cores a join is seconds of CPU, and with shorter stays there is none left for tasks. */
const STAY_MS = [3000, 7000] as const
/** DEPARTURES=1000 npm run bench -- departures */
const DEPARTURES = Number(process.env['DEPARTURES'] ?? 200)
const QUICK_DEPARTURES = 6

const B = 'Vehicle.Powertrain.TractionBattery'
/** How a stay ends without a word before. */
const ENDINGS: readonly [string, Partial<Record<SignalPath, SignalValue>>][] = [
  ['door', { 'Vehicle.Cabin.Door.Row1.DriverSide.IsOpen': true }],
  ['unlock', { 'Vehicle.Cabin.Door.Row1.DriverSide.IsLocked': false }],
  ['seat', { 'Vehicle.Cabin.Seat.Row1.DriverSide.OccupancyStatus': 'OCCUPIED' }],
  ['gear', { 'Vehicle.Powertrain.Transmission.SelectedGear': 127 }],
  ['unplug', { [`${B}.Charging.ChargingPort.AnyPosition.IsChargingCableConnected`]: false, [`${B}.Charging.IsCharging`]: false }],
  ['heat', { [`${B}.Temperature.Max`]: 55 }],
  ['reserve', { [`${B}.StateOfCharge.Current`]: 20, [`${B}.StateOfCharge.CurrentEnergy`]: 15 }]
]

interface Departure {
  readonly closedMs: number
  readonly goneMs: number
  /** Until the client heard of it; null when it held no lease there. */
  readonly toldMs: number | null
  /** Other cars that were on the mesh when the signal came. */
  readonly others: number
}

/** Real car processes with a KUKSA databroker each, whose vehicles are needed at seeded times, under steady load. */
export const measure: Measure = {
  name: 'departures',
  run: async ({ quick, tell }) => {
    const scratch = createScratch()
    const publisher = signerFromSeed(createHash('sha256').update('motorpool bench').digest())
    const modelFolder = join(scratch.folder, 'models')
    writeFileSync(join(scratch.folder, 'sleepy.onnx'), sleepyModel(TASK_MS))
    await (await openModelStore(modelFolder)).add(join(scratch.folder, 'sleepy.onnx'), { name: 'sleepy', publisher })
    const client = await createPeer({ dataFolder: join(scratch.folder, 'client'), modelFolder })
    const cars: VehicleCar[] = []
    try {
      const init = { modelFolder, publisher: Buffer.from(publisher.publicKey).toString('hex'), join: client.addresses().slice(0, 1) }
      while (cars.length < CARS) cars.push(await startVehicleCar(init, scratch.folder))
      tell(`${CARS} cars have joined`)
      const load = startLoad(client)
      const departures = await departAgainAndAgain(cars, load.toldBy, quick ? QUICK_DEPARTURES : DEPARTURES, tell)
      return rowsOf(departures, await load.stop())
    } finally {
      await client.stop()
      await Promise.all(cars.map(car => car.stop()))
      scratch.remove()
    }
  }
}

/** Each car comes and goes by draws of its own, but stays while as many are away as may be. */
async function departAgainAndAgain(cars: readonly VehicleCar[], toldBy: ReadonlyMap<string, number>, count: number, tell: (line: string) => void) {
  const departures: Departure[] = []
  let begun = 0
  let away = 0
  const comeAndGo = async (car: VehicleCar, index: number): Promise<void> => {
    const random = seededRandom(SEED, index)
    while (begun < count) {
      await delay(random.between(...STAY_MS))
      while (away >= AWAY_MOST) await delay(random.between(5, 20))
      if (begun >= count) return
      begun++
      away++
      const [name, changed] = ENDINGS[Math.floor(random.uniform() * ENDINGS.length)]!
      const peerId = car.peerId() ?? ''
      const others = cars.filter(other => other !== car && other.peerId() !== undefined).length
      const { signalMs, closedMs, goneMs } = await car.leave(changed)
      const atMs = toldBy.get(peerId)
      departures.push({ closedMs, goneMs, toldMs: atMs === undefined ? null : atMs - signalMs, others })
      await car.park()
      away--
      if (departures.length % 20 === 0) tell(`${departures.length} departures, the last by ${name}: workers gone after ${Math.round(goneMs)} ms`)
    }
  }
  await Promise.all(cars.map(comeAndGo))
  return departures
}

interface LoadReport {
  readonly submitted: number
  readonly failed: number
  /** Results beyond the first of a task, or with an output that isn't the input's. */
  readonly wrong: number
  /** Receipts beyond the first of a task. */
  readonly paidTwice: number
  /** Times from submission to the result: of tasks that were moved, of all that were on a car when it said that it leaves, and of the others. */
  readonly movedMs: readonly number[]
  readonly hitMs: readonly number[]
  readonly usualMs: readonly number[]
}

/** A job of bursts that goes on until it is stopped. */
function startLoad(client: Peer) {
  const toldBy = new Map<string, number>()
  const moved = new Set<string>()
  const hit = new Set<string>()
  /** Open tasks, and the car that each is on. */
  const places = new Map<string, string>()
  let stopped = false
  let submitted = 0
  let ended = 0
  async function* tasks(): AsyncGenerator<JobTask> {
    while (!stopped) {
      const began = performance.now()
      for (let count = 0; count < BURST_TASKS; count++) yield { key: String(submitted), inputs: { x: numberTensor(submitted++) } }
      await delay(BURST_EVERY_MS - (performance.now() - began))
      while (submitted - ended >= OPEN_MOST) await delay(5)
    }
  }
  const run = async (): Promise<LoadReport> => {
    const seen = new Set<string>()
    const receipts = new Set<string>()
    const [movedMs, hitMs, usualMs]: [number[], number[], number[]] = [[], [], []]
    let [failed, wrong, paidTwice] = [0, 0, 0]
    const job = client.submit({
      model: 'sleepy',
      tasks: tasks(),
      deadlineMs: 120_000,
      targetMs: TARGET_MS,
      onEvent: event => {
        if (event.type === 'assigned') places.set(event.key, event.car)
        if (event.type === 'moved') moved.add(event.key)
        if (event.type !== 'leaving' || toldBy.has(event.car)) return
        toldBy.set(event.car, performance.now())
        for (const [key, car] of places) if (car === event.car) hit.add(key)
      }
    })
    for await (const outcome of job) {
      ended++
      places.delete(outcome.key)
      if (outcome.status === 'failed') {
        failed++
        continue
      }
      const { key, result } = outcome
      const input = numberTensor(Number(key))
      if (seen.has(key) || !Buffer.from(result.outputs['y']?.data ?? []).equals(Buffer.from(input.data))) wrong++
      seen.add(key)
      const { task } = verifyReceipt(result.receipt)
      if (receipts.has(task)) paidTwice++
      receipts.add(task)
      const { totalMs } = result.times
      if (moved.has(key)) movedMs.push(totalMs)
      if (hit.has(key) || moved.has(key)) hitMs.push(totalMs)
      else usualMs.push(totalMs)
    }
    return { submitted, failed, wrong: wrong + (submitted - failed - seen.size), paidTwice, movedMs, hitMs, usualMs }
  }
  const running = run()
  return {
    toldBy,
    stop: () => {
      stopped = true
      return running
    }
  }
}

function rowsOf(departures: readonly Departure[], load: LoadReport): Row[] {
  const rounds = departures.length
  const usual = quantile(load.usualMs, 0.5)
  const alone = departures.filter(({ others }) => others === 0).length
  const told = departures.flatMap(({ toldMs }) => (toldMs === null ? [] : [toldMs]))
  const times = (what: string, values: readonly number[], goal: Row['goal'] = null, note?: string): Row[] =>
    QUANTILES.map(([name, share]) => ({
      measure: `${what}, ${name}`,
      value: quantile(values, share),
      unit: 'ms',
      goal,
      rounds: values.length,
      seed: SEED,
      ...(note === undefined ? {} : { note })
    }))
  const added = (values: readonly number[]): number[] => values.map(value => value - usual)
  const none = (what: string, value: number): Row => ({ measure: what, value, unit: 'tasks', goal: { atMost: 0 }, rounds: load.submitted, seed: SEED })
  return [
    ...times(
      'departure: admission closed after the signal',
      departures.map(({ closedMs }) => closedMs),
      { atMost: 1000 }
    ),
    ...times(
      'departure: worker process gone after the signal',
      departures.map(({ goneMs }) => goneMs),
      { atMost: 2000 }
    ),
    ...times('departure: client told after the signal', told, { atMost: 1000 }),
    { measure: 'departures with no other car there', value: alone, unit: 'departures', goal: null, rounds, seed: SEED },
    none('tasks lost in departures', load.failed),
    none('tasks delivered twice or wrong', load.wrong),
    none('tasks paid twice', load.paidTwice),
    { measure: 'tasks on a car that left', value: load.hitMs.length, unit: 'tasks', goal: null, rounds, seed: SEED, note: `of ${load.submitted}` },
    ...times('added delay of a task on a car that left', added(load.hitMs), null, `beside ${Math.round(usual)} ms`),
    { measure: 'tasks that were moved', value: load.movedMs.length, unit: 'tasks', goal: null, rounds, seed: SEED, note: `of ${load.submitted}` },
    ...times('added delay of a moved task', added(load.movedMs), null, `beside ${Math.round(usual)} ms`)
  ]
}

const QUANTILES = [
  ['p50', 0.5],
  ['p99', 0.99],
  ['max', 1]
] as const

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

function numberTensor(value: number): Tensor {
  return { type: 'float32', dims: [1], data: new Uint8Array(Float32Array.of(value).buffer) }
}
