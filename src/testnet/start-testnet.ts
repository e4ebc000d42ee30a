import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { loadOrCreateSeed } from '../ledger/store/key-file.ts'
import { isMotorpoolError, MotorpoolError } from '../protocol/errors.ts'
import { toHex } from '../protocol/ids.ts'
import { signerFromSeed } from '../protocol/signer.ts'
import { type CarProcessOptions, startCarProcess } from './car-process.ts'
import { CORE_WATTS, entrancesFor, type Scenario, vehicleOf, writeVehicle } from './fleet-day.ts'
import { freePorts } from './free-ports.ts'
import { isAlive } from './process-identity.ts'
import { removeTestnet, stopCars } from './stop-testnet.ts'
import { ocrModel, publishModels, type TestnetModel } from './testnet-models.ts'
import { readTestnet, type TestnetCar, type TestnetState, testnetModelFolder, writeTestnet } from './testnet-state.ts'

export interface TestnetOptions {
  readonly cars: number
  /** State, keys, logs and models live here; made when it isn't there. */
  readonly folder: string
  /** What starts a car: a Node and motorpool's own script. */
  readonly command: readonly string[]
  /** @default the OCR model that npm ships */
  readonly models?: readonly TestnetModel[]
  /** Tasks at once on each car. @default 1 */
  readonly slots?: number
  /** Vehicles that come and go by themselves, one for each car. @default parked by hand */
  readonly scenario?: Scenario
  /** Cars end with the process that started them, however that ends. */
  readonly tethered: boolean
  readonly signal?: AbortSignal
  /** Hears of every car that is ready. */
  readonly onCar?: (car: TestnetCar) => void
}

/** How many cars a newcomer joins through: two, so that none is needed later. */
const JOIN_THROUGH = 2

/**
 * Starts a mesh of real car processes on loopback, the first alone and the others at once through it and each other;
 * those of a scenario all at once, as any of them may be away. Leaves nothing behind when it fails. Errors: `ERR_DATA_FOLDER` (the folder holds something else),
 * `ERR_DATA_FOLDER_LOCKED` (a testnet runs there), `ERR_RUN_FAILED` (a car didn't start), `ERR_ABORTED`.
 */
export async function startTestnet(options: TestnetOptions): Promise<TestnetState> {
  const { folder, signal } = options
  await claimFolder(folder)
  const publisher = signerFromSeed(loadOrCreateSeed(folder, 'publisher.key'))
  const state: TestnetState = { v: 1, command: [...options.command], slots: options.slots ?? 1, publisher: toHex(publisher.publicKey), models: [], cars: [] }
  const start = async (number: number, through: readonly string[]) => {
    const car = await startCarProcess(carOptions(folder, state, `car-${number}`, through, options.tethered, signal))
    state.cars.push(car)
    writeTestnet(folder, state)
    options.onCar?.(car)
    return car
  }
  try {
    writeTestnet(folder, state)
    state.models.push(...(await publishModels(testnetModelFolder(folder), options.models ?? [ocrModel()], publisher)))
    if (options.scenario === undefined) {
      const first = await start(1, [])
      const second = options.cars > 1 ? [await start(2, first.addresses.slice(0, 1))] : []
      const through = [first, ...second].flatMap(car => car.addresses.slice(0, 1))
      await settleAll(Array.from({ length: Math.max(0, options.cars - 2) }, (_, index) => start(index + 3, through)))
    } else {
      const { traces, policy, ...day } = options.scenario
      const ports = await freePorts(options.cars)
      for (const [index, trace] of traces.entries()) await writeVehicle(join(folder, `car-${index + 1}`), trace, policy)
      state.day = { ...day, startUnixMs: Date.now(), entrances: ports.map(port => `/ip4/127.0.0.1/tcp/${port}`) }
      await settleAll(traces.map((_, index) => start(index + 1, [])))
    }
    state.cars.sort((left, right) => Number(left.name.slice(4)) - Number(right.name.slice(4)))
    writeTestnet(folder, state)
    return state
  } catch (error) {
    await stopCars(state.cars)
    await removeTestnet(folder)
    throw error
  }
}

/** Starts a car that isn't running again on its data folder, through the addresses of cars that run. */
export async function restartCar(
  folder: string,
  name: string,
  through: readonly string[],
  options: { readonly tethered: boolean; readonly signal?: AbortSignal }
): Promise<TestnetCar> {
  const before = readTestnet(folder)
  const car = await startCarProcess(carOptions(folder, before, name, through.slice(0, JOIN_THROUGH), options.tethered, options.signal))
  const state = readTestnet(folder)
  writeTestnet(folder, { ...state, cars: state.cars.map(each => (each.name === name ? car : each)) })
  return car
}

function carOptions(
  folder: string,
  state: TestnetState,
  name: string,
  through: readonly string[],
  tethered: boolean,
  signal: AbortSignal | undefined
): CarProcessOptions {
  const { command, publisher, slots, day } = state
  const dataFolder = join(folder, name)
  const common = { command, name, dataFolder, modelFolder: testnetModelFolder(folder), publisher, slots, tethered, signal }
  if (day === undefined) return { ...common, join: through }
  const number = Number(name.slice('car-'.length))
  const listen = day.entrances[number - 1] ?? '/ip4/127.0.0.1/tcp/0'
  return {
    ...common,
    join: [...through, ...entrancesFor(day, number)],
    listen,
    vehicle: vehicleOf(dataFolder, day),
    coreWatts: CORE_WATTS,
    meters: false,
    // At the speed of life its stays are as long for tasks as they are.
    ...(day.speed > 1 ? { stayOdds: false } : {})
  }
}

/** Takes an empty folder, or what a testnet that runs no more left in it. */
async function claimFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if ((await readdir(folder)).length === 0) return
  const state = earlierTestnet(folder)
  if (state.cars.some(isAlive))
    throw new MotorpoolError('ERR_DATA_FOLDER_LOCKED', `a testnet runs in ${folder}; end it with motorpool testnet down --dir ${folder}`)
  await removeTestnet(folder)
  await mkdir(folder, { recursive: true, mode: 0o700 })
}

/** What a testnet left there; a folder with anything else is somebody's own. */
function earlierTestnet(folder: string): TestnetState {
  try {
    return readTestnet(folder)
  } catch (cause) {
    if (!isMotorpoolError(cause, 'ERR_NO_TESTNET')) throw cause
    throw new MotorpoolError('ERR_DATA_FOLDER', `${folder} holds something that is no testnet; choose an empty folder`, { cause })
  }
}

/** Waits for every start to end before telling of the first failure, so that none starts behind the cleaning up. */
async function settleAll(starts: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(starts)) if (outcome.status === 'rejected') throw outcome.reason
}
