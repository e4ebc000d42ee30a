import { join } from 'node:path'
import { type Command, Option } from 'commander'
import pino from 'pino'
import type { CarEvent, CarOptions } from '../../car/car.ts'
import type { IntensitySource } from '../../energy/meters/intensity-source.ts'
import { INTENSITY_ADDRESSES, INTENSITY_TOKEN, openIntensity } from '../../energy/meters/open-intensity.ts'
import type { ModelPolicy } from '../../models/model.ts'
import type { Peer } from '../../peer.ts'
import { MotorpoolError } from '../../protocol/errors.ts'
import { isManual, isTrace } from '../../vehicle/open-vehicle-source.ts'
import { VEHICLE_ADDRESSES } from '../../vehicle/vehicle-address.ts'
import type { VehicleSource } from '../../vehicle/vehicle-source.ts'
import type { AdminStatus, CarStory } from '../admin/methods.ts'
import { type AdminHandlers, startAdminServer } from '../admin/server.ts'
import type { CommandContext } from '../context.ts'
import { dataFolderPath } from '../data-folder-path.ts'
import { collectAllowed, ownModelsPolicy } from '../model-policy.ts'
import { type CommonOptions, collect, wholeNumber, withCommonOptions } from '../options.ts'
import { policyPath, readPolicyFile } from '../policy/policy-file.ts'
import { watchPolicy } from '../policy/watch-policy.ts'
import { describeEvent } from '../vehicle/describe-event.ts'
import { openVehicle } from '../vehicle/open-vehicle.ts'

interface UpOptions extends CommonOptions {
  readonly join?: readonly string[]
  readonly listen?: readonly string[]
  readonly slots: string
  readonly allow?: ModelPolicy
  readonly model?: readonly string[]
  readonly models?: string
  readonly mdns?: boolean
  readonly logLevel: string
  readonly tethered?: boolean
  readonly vehicle?: string
  readonly policy?: string
  readonly coreWatts?: number
  readonly intensity?: string
  readonly meters: boolean
  readonly stayOdds: boolean
}

const SLOTS = ['1', '2', '4', '8']

/** `motorpool up`: this machine as a car, until it is told to stop. */
export function addUp(program: Command, context: CommandContext): void {
  const command = program.command('up').description('join the mesh as a parked car, until Ctrl-C or motorpool down')
  withCommonOptions(command, 'motorpool up --join /ip4/192.0.2.7/tcp/4001')
    .option('--join <multiaddr>', 'a peer to join through; may be repeated', collect)
    .option('--listen <multiaddr>', 'where to listen; may be repeated (default: loopback, a free port)', collect)
    .addOption(new Option('--slots <n>', 'tasks at once; each takes a worker, and the memory of every model, for itself').choices(SLOTS).default('1'))
    .option('--allow <key-or-cid>', 'a publisher’s key or a model’s CID that may run here; may be repeated (default: models added here)', collectAllowed)
    .option('--model <name>', 'a model to load; may be repeated (default: every allowed one)', collect)
    .option('--models <folder>', 'a model store to share (default: models in the data folder)')
    .option('--vehicle <address>', `where the vehicle’s state comes from: ${VEHICLE_ADDRESSES.join(', ')} (default: parked by hand)`)
    .option('--policy <file>', 'what the owner allows; read again when it changes (default: policy.yaml in the data folder, with --vehicle)')
    .option('--core-watts <watts>', 'what a busy core draws, to estimate energy where no meter is', wholeNumber(1, 1000))
    .option(
      '--intensity <source>',
      `the grid’s carbon intensity, for a ceiling and motorpool report: ${INTENSITY_ADDRESSES.join(', ')} (key in ${INTENSITY_TOKEN}; default: unknown)`
    )
    .option('--no-meters', 'don’t read this machine’s power meters: it isn’t only this car’s')
    .option('--no-stay-odds', 'take tasks without weighing whether the vehicle stays: of one that is played fast, a task takes as long as an hour of its stay')
    .option('--mdns', 'find peers in the same network')
    .addOption(new Option('--log-level <level>', 'what to log on standard error').choices(['debug', 'info', 'warn', 'error', 'silent']).default('warn'))
    .addOption(new Option('--tethered', 'stop when standard input ends').hideHelp())
    .action((options: UpOptions) => up(options, context))
}

async function up(options: UpOptions, context: CommandContext): Promise<void> {
  const dataFolder = dataFolderPath(options.dataDir, context.environment)
  const policyFile = options.policy ?? (options.vehicle === undefined ? undefined : policyPath(dataFolder))
  // What is wrong at the start is told as an error; later, it keeps the car off the mesh.
  const ownerPolicy = policyFile === undefined ? undefined : readPolicyFile(policyFile)
  const intensity = options.intensity === undefined ? undefined : openIntensity(options.intensity, context.environment[INTENSITY_TOKEN])
  const vehicle = options.vehicle === undefined ? {} : await openVehicle(options.vehicle)
  const { vehicleClock } = vehicle
  const vehicleTime = () => (vehicleClock === undefined ? {} : { vehicleTime: new Date(vehicleClock.unixMs()).toISOString() })
  const log = pino({ level: options.logLevel, mixin: vehicleTime }, pino.destination({ fd: 2, sync: true }))
  // Its reasons may quote what a service answered, which names the zone.
  const onUnknown = (): void => log.warn('no carbon intensity can be had; emissions are unknown until it can, check --intensity')
  const { createPeer } = await import('../../peer.ts')
  let story: CarStory = { joined: null, left: null }
  const told = (event: CarEvent): void => {
    const atUnixMs = (vehicleClock?.unixMs ?? Date.now)()
    if (event.type === 'joined') story = { ...story, joined: { reason: event.why, atUnixMs } }
    if (event.type === 'left') story = { ...story, left: { reason: event.reason, atUnixMs } }
    if (event.type === 'failed' || event.type === 'worker-restarted' || event.type === 'join-failed') log.warn(event)
    else log.info(event)
    const line = options.vehicle === undefined || options.json === true ? undefined : describeEvent(event)
    if (line !== undefined) context.note(line)
  }
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
      ...vehicle,
      ...(ownerPolicy === undefined ? {} : { ownerPolicy }),
      energy: {
        ...(options.coreWatts === undefined ? {} : { wattsPerCore: options.coreWatts }),
        ...(intensity === undefined ? {} : { intensity: telling(intensity, onUnknown) }),
        ...(options.meters ? {} : { sysfsRoot: join(dataFolder, 'no-meters') })
      },
      ...(options.stayOdds ? {} : { stayOdds: () => null }),
      onEvent: told
    }
  }).catch(async error => {
    await vehicle.vehicle?.stop()
    throw error
  })
  const unwatch = policyFile === undefined ? () => undefined : watchPolicy(policyFile, policy => peer.car?.setOwnerPolicy(policy))
  const asked = Promise.withResolvers<void>()
  const status = (): AdminStatus => {
    const now = peer.status()
    return { ...now, account: now.peerId === null ? null : peer.account, pid: process.pid, dataFolder, story }
  }
  try {
    const admin = await startAdminServer(dataFolder, handlersFor(peer, vehicle.vehicle, status, asked.resolve))
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

/** A source that tells of its first failure after each success. */
function telling(source: IntensitySource, onUnknown: () => void): IntensitySource {
  let isUnknown = false
  return async asked => {
    try {
      const told = await source(asked)
      isUnknown = false
      return told
    } catch (error) {
      if (!isUnknown) onUnknown()
      isUnknown = true
      throw error
    }
  }
}

function handlersFor(peer: Peer, vehicle: VehicleSource | undefined, status: () => AdminStatus, stop: () => void): AdminHandlers {
  const car = () => {
    if (peer.car === undefined) throw new MotorpoolError('ERR_INVALID_OPTION', 'this peer offers no car; start one with motorpool up')
    return peer.car
  }
  return {
    status,
    peers: () => peer.connections(),
    ping: async ({ peer: other }) => ({ roundTripMs: await peer.ping(other, { signal: AbortSignal.timeout(10_000) }) }),
    drive: async ({ reason = 'the driver needs the vehicle', secondsLeft }) => {
      if (vehicle !== undefined && isManual(vehicle)) vehicle.drive(reason)
      await car().depart({ reason, secondsLeft })
      return status()
    },
    park: async () => {
      if (vehicle !== undefined && isManual(vehicle)) vehicle.park()
      await car().park()
      return status()
    },
    skip: ({ toS }) => {
      if (vehicle === undefined || !isTrace(vehicle))
        throw new MotorpoolError('ERR_INVALID_OPTION', 'this car’s vehicle is not recorded; start one with motorpool up --vehicle trace:FILE')
      vehicle.skipTo(toS)
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
    'Ctrl-C to stop.'
  ].join('\n')
}
