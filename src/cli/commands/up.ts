import { join } from 'node:path'
import { type Command, Option } from 'commander'
import pino from 'pino'
import type { CarEvent, CarOptions } from '../../car/car.ts'
import type { ModelPolicy } from '../../models/model.ts'
import type { Peer } from '../../peer.ts'
import { MotorpoolError } from '../../protocol/errors.ts'
import { isTrace } from '../../vehicle/open-vehicle-source.ts'
import type { AdminStatus, CarStory } from '../admin/methods.ts'
import { type AdminHandlers, startAdminServer } from '../admin/server.ts'
import type { CommandContext } from '../context.ts'
import { dataFolderPath } from '../data-folder-path.ts'
import { collectAllowed, ownModelsPolicy } from '../model-policy.ts'
import { type CommonOptions, collect, withCommonOptions } from '../options.ts'
import { policyPath } from '../policy/policy-file.ts'
import { vehicleLines } from '../vehicle/car-words.ts'
import { type VehicleOptions, vehicleOptions, watchPolicy, withVehicleOptions } from '../vehicle/vehicle-options.ts'

interface UpOptions extends CommonOptions, VehicleOptions {
  readonly join?: readonly string[]
  readonly listen?: readonly string[]
  readonly slots: string
  readonly allow?: ModelPolicy
  readonly model?: readonly string[]
  readonly models?: string
  readonly mdns?: boolean
  readonly logLevel: string
  readonly tethered?: boolean
}

const SLOTS = ['1', '2', '4', '8']

/** `motorpool up`: this machine as a car, until it is told to stop. */
export function addUp(program: Command, context: CommandContext): void {
  const command = program.command('up').description('join the mesh as a parked car, until Ctrl-C or motorpool down')
  withVehicleOptions(withCommonOptions(command, 'motorpool up --join /ip4/192.0.2.7/tcp/4001\nmotorpool up --vehicle kuksa://127.0.0.1'))
    .option('--join <multiaddr>', 'a peer to join through; may be repeated', collect)
    .option('--listen <multiaddr>', 'where to listen; may be repeated (default: loopback, a free port)', collect)
    .addOption(new Option('--slots <n>', 'tasks at once').choices(SLOTS).default('1'))
    .option('--allow <key-or-cid>', 'a publisher’s key or a model’s CID that may run here; may be repeated (default: models added here)', collectAllowed)
    .option('--model <name>', 'a model to load; may be repeated (default: every allowed one)', collect)
    .option('--models <folder>', 'a model store to share (default: models in the data folder)')
    .option('--mdns', 'find peers in the same network')
    .addOption(new Option('--log-level <level>', 'what to log on standard error').choices(['debug', 'info', 'warn', 'error', 'silent']).default('warn'))
    .addOption(new Option('--tethered', 'stop when standard input ends').hideHelp())
    .action((options: UpOptions) => up(options, context))
}

async function up(options: UpOptions, context: CommandContext): Promise<void> {
  const dataFolder = dataFolderPath(options.dataDir, context.environment)
  const log = pino({ level: options.logLevel }, pino.destination({ fd: 2, sync: true }))
  const policyFile = policyPath(dataFolder)
  const attended = await vehicleOptions(options, policyFile, dataFolder)
  const { vehicle, vehicleClock } = attended
  let story: CarStory = { joined: null, left: null }
  const onEvent = (event: CarEvent): void => {
    if (event.type === 'failed' || event.type === 'worker-restarted') log.warn(event)
    else log.info(event)
    const atUnixMs = (vehicleClock?.unixMs ?? Date.now)()
    if (event.type === 'joined') story = { ...story, joined: { reason: event.why, atUnixMs } }
    if (event.type === 'left') story = { ...story, left: { reason: event.reason, atUnixMs } }
  }
  const { createPeer } = await import('../../peer.ts')
  const peer = await createPeer({
    dataFolder,
    modelFolder: options.models ?? join(dataFolder, 'models'),
    listen: options.listen,
    join: options.join,
    mdns: options.mdns,
    car: {
      slots: Number(options.slots) as CarOptions['slots'],
      policy: options.allow ?? ownModelsPolicy(dataFolder),
      models: options.model,
      ...attended,
      onEvent
    }
  }).catch(async error => {
    await vehicle?.stop()
    throw error
  })
  const unwatch = vehicle === undefined ? () => undefined : watchPolicy(policyFile, policy => peer.car?.setOwnerPolicy(policy))
  const asked = Promise.withResolvers<void>()
  const status = (): AdminStatus => {
    const now = peer.status()
    return { ...now, account: now.peerId === null ? null : peer.account, pid: process.pid, dataFolder, story }
  }
  const skip = (toS: number): void => {
    if (vehicle === undefined || !isTrace(vehicle))
      throw new MotorpoolError('ERR_INVALID_OPTION', 'this car’s vehicle is not recorded; start one with motorpool up --vehicle trace:FILE')
    vehicle.skipTo(toS)
  }
  try {
    const admin = await startAdminServer(dataFolder, handlersFor(peer, status, skip, asked.resolve))
    context.signal.addEventListener('abort', () => asked.resolve(), { once: true })
    if (context.signal.aborted) asked.resolve()
    if (options.tethered === true) process.stdin.on('end', asked.resolve).on('error', asked.resolve).resume()
    context.print(options.json === true ? JSON.stringify(status()) : describe(status()))
    await asked.promise
    await admin.stop()
  } finally {
    unwatch()
    await peer.stop()
  }
  context.endWith(0)
}

function handlersFor(peer: Peer, status: () => AdminStatus, skip: (toS: number) => void, stop: () => void): AdminHandlers {
  const car = () => {
    if (peer.car === undefined) throw new MotorpoolError('ERR_INVALID_OPTION', 'this peer offers no car; start one with motorpool up')
    return peer.car
  }
  return {
    status,
    peers: () => peer.connections(),
    ping: async ({ peer: other }) => ({ roundTripMs: await peer.ping(other, { signal: AbortSignal.timeout(10_000) }) }),
    drive: async ({ reason = 'the driver needs the vehicle', secondsLeft }) => {
      await car().depart({ reason, secondsLeft })
      return status()
    },
    park: async () => {
      await car().park()
      return status()
    },
    skip: ({ toS }) => {
      skip(toS)
      return null
    },
    stop: () => {
      // After the reply has left: stopping closes the socket that it goes out on.
      setImmediate(stop)
      return null
    }
  }
}

function describe(status: AdminStatus): string {
  const models = status.car?.models.map(model => model.name).join(', ') ?? ''
  return [
    `peer     ${status.peerId ?? 'none while the car is away'}`,
    ...status.addresses.map(address => `address  ${address}`),
    `slots    ${status.car?.slots ?? 0}`,
    `models   ${models === '' ? 'none' : models}`,
    ...(status.car?.vehicle == null ? [] : vehicleLines(status)),
    'Ctrl-C to stop.'
  ].join('\n')
}
