import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { abortError, MotorpoolError } from '../../protocol/errors.ts'
import type { Scenario } from '../../testnet/fleet-day.ts'
import { isAlive, signalProcess, waitUntilGone } from '../../testnet/process-identity.ts'
import { restartCar, startTestnet } from '../../testnet/start-testnet.ts'
import { stopTestnet } from '../../testnet/stop-testnet.ts'
import { ocrModel } from '../../testnet/testnet-models.ts'
import { carNamed, defaultTestnetFolder, readTestnet, type TestnetState, testnetStateFile } from '../../testnet/testnet-state.ts'
import { adminRequest } from '../admin/client.ts'
import type { CommandContext } from '../context.ts'
import { livingAddresses, statusOf } from '../join-mesh.ts'
import { type CommonOptions, collect, secondsToMs, wholeNumber, withCommonOptions } from '../options.ts'
import { commuteScenario, type ScenarioName, scenarioName, scenarioSpeed, shownTimeOfDay, timeOfDayS } from '../testnet/scenario.ts'
import { type CarNow, describeTestnet } from '../testnet/testnet-status.ts'

interface TestnetCommandOptions extends CommonOptions {
  readonly dir?: string
}

interface UpOptions extends TestnetCommandOptions {
  readonly cars: number
  readonly detach?: boolean
  readonly model?: readonly string[]
  readonly slots: number
  readonly ocr: boolean
  readonly scenario?: ScenarioName
  readonly speed?: number
  readonly seed?: number
  readonly from?: number
}

interface StatusOptions extends TestnetCommandOptions {
  readonly watch?: boolean
}

/** What starts another motorpool: this Node and the script beside it. */
export const OWN_COMMAND: readonly string[] = [process.execPath, fileURLToPath(new URL('../../../bin/motorpool.js', import.meta.url))]
/** The kernel ends a killed process at once; a loaded machine takes longer to say so. */
const KILL_LIMIT_MS = 5_000
const DEPARTURE_LIMIT_MS = 120_000
const WATCH_EVERY_MS = 1000
/** A day in two and a half minutes. */
const USUAL_SPEED = 600
const USUAL_SEED = 1
const LARGEST_SEED = 1_000_000
/** Clears a terminal and goes to its first line. */
const CLEAR = '\u001b[2J\u001b[H'

/** `motorpool testnet …`: a mesh of real car processes on this machine. */
export function addTestnet(program: Command, context: CommandContext): void {
  const testnet = program
    .command('testnet')
    .description('run a mesh of real car processes on this machine')
    .addHelpText('after', '\nExample:\n  $ motorpool testnet up -n 6 --detach')
  const subcommand = (name: string, example: string) =>
    withCommonOptions(testnet.command(name), example).option('--dir <folder>', 'where the testnet lives (default: one for each user in the temporary folder)')
  subcommand('up', 'motorpool testnet up -n 6 --detach\nmotorpool testnet up -n 12 --scenario commute --speed 600')
    .description('start cars, until Ctrl-C or motorpool testnet down')
    .option('-n, --cars <n>', 'how many cars', wholeNumber(1, 200), 6)
    .option('--detach', 'return when they are ready')
    .option('--model <path>', 'an .onnx file or folder that the cars may run besides ocr; may be repeated', collect)
    .option('--no-ocr', 'leave the OCR model out')
    .option('--slots <n>', 'tasks at once on each car', wholeNumber(1, 8), 1)
    .option('--scenario <name>', 'let recorded vehicles drive the cars, which then come and go by themselves: commute is a Monday of commuters', scenarioName)
    .option(
      '--speed <times>',
      `how much faster than real time the scenario’s day goes by; a car takes about a second to join, at 600 ten minutes of its day, so cars don’t weigh their odds of staying (default: ${USUAL_SPEED})`,
      scenarioSpeed
    )
    .option('--seed <n>', `which fleet of the scenario; the same seed gives the same day (default: ${USUAL_SEED})`, wholeNumber(0, LARGEST_SEED))
    .option('--from <HH:MM>', 'the time at which the scenario’s day begins (default: 00:00)', timeOfDayS)
    .action((options: UpOptions) => up(options, context))
  subcommand('status', 'motorpool testnet status')
    .description('tell what each car does and why')
    .option('--watch', 'tell again every second, until Ctrl-C')
    .action((options: StatusOptions) => status(options, context))
  const onCar = (name: string, description: string, act: (car: string, options: TestnetCommandOptions & { readonly seconds?: number }) => Promise<string>) =>
    subcommand(name, `motorpool testnet ${name} car-2`)
      .description(description)
      .argument('<car>', 'such as car-2')
      .action(async (car: string, options: TestnetCommandOptions) => {
        const line = await act(car, options)
        context.print(options.json === true ? JSON.stringify({ car, done: name }) : line)
      })
  onCar('kill', 'end a car’s process with SIGKILL', kill)
  onCar('drive', 'tell a car that its driver needs it', (car, options) => drive(car, options, context)).option(
    '--seconds <n>',
    'how long it may still work',
    secondsToMs
  )
  onCar('park', 'tell a car that it is parked again; starts a killed one', (car, options) => park(car, options, context))
  subcommand('down', 'motorpool testnet down')
    .description('end all cars and remove what they left')
    .action(async (options: TestnetCommandOptions) => {
      const cars = await stopTestnet(folderOf(options))
      context.print(options.json === true ? JSON.stringify({ stopped: cars }) : `stopped ${cars} cars`)
    })
}

function folderOf(options: TestnetCommandOptions): string {
  return resolve(options.dir ?? defaultTestnetFolder())
}

async function up(options: UpOptions, context: CommandContext): Promise<void> {
  const folder = folderOf(options)
  const scenario = scenarioOf(options)
  const state = await startTestnet({
    cars: options.cars,
    folder,
    command: OWN_COMMAND,
    models: [...(options.ocr ? [ocrModel()] : []), ...(options.model ?? []).map(path => ({ path: resolve(path) }))],
    slots: options.slots,
    ...(scenario === undefined ? {} : { scenario }),
    tethered: options.detach !== true,
    signal: context.signal,
    onCar: car =>
      options.json === true ? undefined : context.note(`${car.name} is ready: ${car.peerId === '' ? 'its vehicle decides when it joins' : car.peerId}`)
  })
  const tries = `motorpool run ${state.models[0]?.name ?? 'MODEL'} --input FILE --dir ${folder}`
  context.print(options.json === true ? JSON.stringify(ready(folder, state)) : `${state.cars.length} cars run in ${folder}; try: ${tries}`)
  if (scenario !== undefined && options.json !== true)
    context.print(`their day began at ${shownTimeOfDay(scenario.fromS)}; watch it with: motorpool testnet status --watch --dir ${folder}`)
  if (options.detach === true) return
  await untilOver(folder, context)
  await stopTestnet(folder).catch(() => undefined)
  context.endWith(0)
}

/** Throws `ERR_INVALID_OPTION` when there are options for a scenario, and none. */
function scenarioOf({ scenario, speed, seed, from, cars }: UpOptions): Scenario | undefined {
  if (scenario !== undefined) return commuteScenario({ name: scenario, cars, seed: seed ?? USUAL_SEED, speed: speed ?? USUAL_SPEED, fromS: from ?? 0 })
  const given = Object.entries({ speed, seed, from }).find(([, value]) => value !== undefined)
  if (given !== undefined) throw new MotorpoolError('ERR_INVALID_OPTION', `--${given[0]} is about a scenario; add --scenario commute`)
  return undefined
}

function ready(folder: string, { cars, models, publisher, day }: TestnetState) {
  return {
    dir: folder,
    publisher,
    models,
    ...(day === undefined ? {} : { day }),
    cars: cars.map(({ name, pid, peerId, addresses, dataFolder }) => ({ name, pid, peerId, addresses, dataDir: dataFolder }))
  }
}

/** Until the user stops it, or another command took the testnet down and its state file with it. */
async function untilOver(folder: string, context: CommandContext): Promise<void> {
  while (!context.signal.aborted && existsSync(testnetStateFile(folder))) await delay(500, undefined, { signal: context.signal }).catch(() => undefined)
}

async function status(options: StatusOptions, context: CommandContext): Promise<void> {
  const folder = folderOf(options)
  do {
    const state = readTestnet(folder)
    const cars = await Promise.all(state.cars.map(async (car): Promise<CarNow> => ({ car, now: await statusOf(car.dataFolder, context.signal) })))
    if (context.signal.aborted) throw abortError(context.signal)
    const clear = options.watch === true && options.json !== true && process.stdout.isTTY === true ? CLEAR : ''
    context.print(options.json === true ? JSON.stringify(statusJson(folder, state, cars)) : `${clear}${describeTestnet(state, cars, Date.now())}`)
    if (options.watch === true) await delay(WATCH_EVERY_MS, undefined, { signal: context.signal }).catch(() => undefined)
  } while (options.watch === true && !context.signal.aborted)
}

function statusJson(folder: string, state: TestnetState, cars: readonly CarNow[]) {
  const told = cars.map(({ car, now }) => ({ name: car.name, pid: car.pid, dataDir: car.dataFolder, running: isAlive(car), status: now ?? null }))
  return { ...ready(folder, state), cars: told }
}

async function kill(name: string, options: TestnetCommandOptions): Promise<string> {
  const car = carNamed(readTestnet(folderOf(options)), name)
  if (!signalProcess(car, 'SIGKILL')) throw new MotorpoolError('ERR_STOPPED', `${car.name} does not run; start it with motorpool testnet park ${car.name}`)
  await waitUntilGone(car, KILL_LIMIT_MS)
  return `killed ${car.name} (process ${car.pid})`
}

async function drive(name: string, options: TestnetCommandOptions & { readonly seconds?: number }, context: CommandContext): Promise<string> {
  const car = carNamed(readTestnet(folderOf(options)), name)
  const secondsLeft = options.seconds === undefined ? undefined : Math.ceil(options.seconds / 1000)
  await adminRequest(car.dataFolder, 'drive', { secondsLeft }, { signal: context.signal, timeoutMs: (options.seconds ?? 0) + DEPARTURE_LIMIT_MS })
  return `${car.name} drove away`
}

async function park(name: string, options: TestnetCommandOptions, context: CommandContext): Promise<string> {
  const folder = folderOf(options)
  const state = readTestnet(folder)
  const car = carNamed(state, name)
  if (isAlive(car)) {
    const { peerId } = await adminRequest(car.dataFolder, 'park', {}, { signal: context.signal, timeoutMs: DEPARTURE_LIMIT_MS })
    return peerId === null ? `${car.name} joins as soon as its vehicle is fit` : `${car.name} is parked as ${peerId}`
  }
  // Whoever started the testnet may be gone, so a car that is started again belongs to nobody but the testnet's folder.
  const started = await restartCar(folder, car.name, await livingAddresses(state), { tethered: false, signal: context.signal })
  return `${car.name} runs again${started.peerId === '' ? '' : ` as ${started.peerId}`}`
}
