import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { MotorpoolError } from '../protocol/errors.ts'

const STATE_FILE = 'testnet.json'

const carSchema = z.strictObject({
  name: z.string().regex(/^car-[1-9]\d*$/),
  pid: z.int().positive(),
  startTicks: z.string().optional(),
  /** At its first join; a car that leaves and joins again has a new one. Empty for one whose vehicle was not fit yet. */
  peerId: z.string(),
  addresses: z.array(z.string()),
  dataFolder: z.string()
})

/** The day that all cars of a testnet live through: at `startUnixMs` it was `fromS` seconds after `epochUnixMs`. */
const daySchema = z.strictObject({
  scenario: z.string(),
  seed: z.int(),
  /** Seconds of the day in a second. */
  speed: z.number().positive(),
  epochUnixMs: z.int(),
  fromS: z.number().nonnegative(),
  untilS: z.number().nonnegative(),
  startUnixMs: z.int(),
  /** Where each car listens whenever it is there, by number. */
  entrances: z.array(z.string())
})

const stateSchema = z.strictObject({
  v: z.literal(1),
  /** What starts a car: a Node and motorpool's own script. */
  command: z.array(z.string()).min(1),
  slots: z.int().positive(),
  /** The testnet's own publisher, whose models every car may run; hex. */
  publisher: z.string(),
  models: z.array(z.strictObject({ name: z.string(), cid: z.string() })),
  /** Missing where cars are parked and driven by hand. */
  day: daySchema.optional(),
  cars: z.array(carSchema)
})

/** A car of a testnet as its state file tells of it. */
export type TestnetCar = z.infer<typeof carSchema>
export type TestnetDay = z.infer<typeof daySchema>
/** What a testnet leaves in its folder for the commands that come later. */
export type TestnetState = z.infer<typeof stateSchema>

/** Where a testnet lives unless told otherwise: one for each user of a machine. */
export function defaultTestnetFolder(): string {
  return join(tmpdir(), `motorpool-testnet-${userInfo().uid}`)
}

/** The second of its day that a testnet is at. */
export function dayTimeS({ fromS, startUnixMs, speed }: TestnetDay, nowUnixMs: number): number {
  return fromS + ((nowUnixMs - startUnixMs) / 1000) * speed
}

/** The store that a testnet's cars and clients share. */
export function testnetModelFolder(folder: string): string {
  return join(folder, 'models')
}

/** Where a testnet's state is; gone when the testnet is over. */
export function testnetStateFile(folder: string): string {
  return join(folder, STATE_FILE)
}

/** Reads the testnet in a folder; `ERR_NO_TESTNET` when there is none. Synchronous, so that nothing comes between reading and writing. */
export function readTestnet(folder: string): TestnetState {
  let text: string
  try {
    text = readFileSync(testnetStateFile(folder), 'utf8')
  } catch (cause) {
    throw new MotorpoolError('ERR_NO_TESTNET', `no testnet in ${folder}; start one with motorpool testnet up -n 6 --dir ${folder}`, { cause })
  }
  const parsed = stateSchema.safeParse(jsonOf(text))
  if (!parsed.success) throw new MotorpoolError('ERR_NO_TESTNET', `${testnetStateFile(folder)} is damaged; remove the folder and start the testnet again`)
  return parsed.data
}

/** Writes the state whole or not at all. */
export function writeTestnet(folder: string, state: TestnetState): void {
  const path = testnetStateFile(folder)
  const fresh = `${path}.${process.pid}.new`
  writeFileSync(fresh, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(fresh, path)
}

/** The car of that name; `ERR_INVALID_OPTION` when there is none. */
export function carNamed(state: TestnetState, name: string): TestnetCar {
  const car = state.cars.find(each => each.name === name || each.name === `car-${name}`)
  if (car === undefined)
    throw new MotorpoolError('ERR_INVALID_OPTION', `no car is called ${name}; choose one of ${state.cars.map(each => each.name).join(', ')}`)
  return car
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
