import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { abortError, MotorpoolError } from '../../protocol/errors.ts'
import { isAlive, signalProcess, waitUntilGone } from '../../testnet/process-identity.ts'
import { restartCar, startTestnet } from '../../testnet/start-testnet.ts'
import { stopTestnet } from '../../testnet/stop-testnet.ts'
import { ocrModel } from '../../testnet/testnet-models.ts'
import { carNamed, defaultTestnetFolder, readTestnet, type TestnetState, testnetStateFile } from '../../testnet/testnet-state.ts'
import { adminRequest } from '../admin/client.ts'
import type { CommandContext } from '../context.ts'
import { livingAddresses, statusOf } from '../join-mesh.ts'
import { type CommonOptions, collect, secondsToMs, wholeNumber, withCommonOptions } from '../options.ts'
import { formatTable, shortPeer } from '../table.ts'

interface TestnetCommandOptions extends CommonOptions {
  readonly dir?: string
}

interface UpOptions extends TestnetCommandOptions {
  readonly cars: number
  readonly detach?: boolean
  readonly model?: readonly string[]
  readonly slots: number
  readonly ocr: boolean
}

/** What starts another motorpool: this Node and the script beside it. */
export const OWN_COMMAND: readonly string[] = [process.execPath, fileURLToPath(new URL('../../../bin/motorpool.js', import.meta.url))]
/** The kernel ends a killed process at once; a loaded machine takes longer to say so. */
const KILL_LIMIT_MS = 5_000
const DEPARTURE_LIMIT_MS = 120_000

/** `motorpool testnet …`: a mesh of real car processes on this machine. */
export function addTestnet(program: Command, context: CommandContext): void {
  const testnet = program
    .command('testnet')
    .description('run a mesh of real car processes on this machine')
    .addHelpText('after', '\nExample:\n  $ motorpool testnet up -n 6 --detach')
  const subcommand = (name: string, example: string) =>
    withCommonOptions(testnet.command(name), example).option('--dir <folder>', 'where the testnet lives (default: one for each user in the temporary folder)')
  subcommand('up', 'motorpool testnet up -n 6 --detach')
    .description('start cars, until Ctrl-C or motorpool testnet down')
    .option('-n, --cars <n>', 'how many cars', wholeNumber(1, 200), 6)
    .option('--detach', 'return when they are ready')
    .option('--model <path>', 'an .onnx file or folder that the cars may run besides ocr; may be repeated', collect)
    .option('--no-ocr', 'leave the OCR model out')
    .option('--slots <n>', 'tasks at once on each car', wholeNumber(1, 8), 1)
    .action((options: UpOptions) => up(options, context))
  subcommand('status', 'motorpool testnet status')
    .description('tell what each car does')
    .action((options: TestnetCommandOptions) => status(options, context))
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
  const state = await startTestnet({
    cars: options.cars,
    folder,
    command: OWN_COMMAND,
    models: [...(options.ocr ? [ocrModel()] : []), ...(options.model ?? []).map(path => ({ path: resolve(path) }))],
    slots: options.slots,
    tethered: options.detach !== true,
    signal: context.signal,
    onCar: car => (options.json === true ? undefined : context.note(`${car.name} is ready: ${car.peerId}`))
  })
  context.print(
    options.json === true
      ? JSON.stringify(ready(folder, state))
      : `${state.cars.length} cars run in ${folder}; try: motorpool run ${state.models[0]?.name ?? 'MODEL'} --input FILE --dir ${folder}`
  )
  if (options.detach === true) return
  await untilOver(folder, context)
  await stopTestnet(folder).catch(() => undefined)
  context.endWith(0)
}

function ready(folder: string, { cars, models, publisher }: TestnetState) {
  return {
    dir: folder,
    publisher,
    models,
    cars: cars.map(({ name, pid, peerId, addresses, dataFolder }) => ({ name, pid, peerId, addresses, dataDir: dataFolder }))
  }
}

/** Until the user stops it, or another command took the testnet down and its state file with it. */
async function untilOver(folder: string, context: CommandContext): Promise<void> {
  while (!context.signal.aborted && existsSync(testnetStateFile(folder))) await delay(500, undefined, { signal: context.signal }).catch(() => undefined)
}

async function status(options: TestnetCommandOptions, context: CommandContext): Promise<void> {
  const folder = folderOf(options)
  const state = readTestnet(folder)
  const statuses = await Promise.all(state.cars.map(car => statusOf(car.dataFolder, context.signal)))
  if (context.signal.aborted) throw abortError(context.signal)
  if (options.json === true) {
    context.print(
      JSON.stringify({
        ...ready(folder, state),
        cars: state.cars.map((car, index) => ({
          name: car.name,
          pid: car.pid,
          dataDir: car.dataFolder,
          running: isAlive(car),
          status: statuses[index] ?? null
        }))
      })
    )
    return
  }
  const rows = state.cars.map((car, index) => {
    const now = statuses[index]
    return [
      car.name,
      shortPeer(now?.peerId ?? car.peerId),
      now?.car?.state ?? (isAlive(car) ? 'silent' : 'killed'),
      car.pid,
      now?.car?.running ?? 0,
      now?.car?.done ?? 0,
      now?.car === undefined || now.car === null || now.car.energy.by === 'unknown'
        ? ''
        : `${(now.car.energy.attributedMj / 1000).toFixed(1)} (${now.car.energy.by})`,
      now?.car?.handedBack ?? 0,
      now?.connections ?? 0,
      now?.car?.vehicle?.batteryPercent == null ? '' : `${Math.round(now.car.vehicle.batteryPercent)} %`,
      now?.car?.vehicle?.reasons.map(({ text }) => text).join('; ') ?? ''
    ]
  })
  context.print(formatTable(['car', 'peer', 'state', 'process', 'running', 'done', 'joules', 'handed back', 'connections', 'battery', 'not fit because'], rows))
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
    return `${car.name} is parked as ${peerId}`
  }
  // Whoever started the testnet may be gone, so a car that is started again belongs to nobody but the testnet's folder.
  const started = await restartCar(folder, car.name, await livingAddresses(state), { tethered: false, signal: context.signal })
  return `${car.name} runs again as ${started.peerId}`
}
