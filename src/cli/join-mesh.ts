import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import type { PeerOptions } from '../peer/peer-options.ts'
import type { Peer } from '../peer.ts'
import { isMotorpoolError, MotorpoolError } from '../protocol/errors.ts'
import { isAlive } from '../testnet/process-identity.ts'
import { defaultTestnetFolder, readTestnet, type TestnetState, testnetModelFolder } from '../testnet/testnet-state.ts'
import { adminRequest } from './admin/client.ts'
import type { AdminStatus } from './admin/methods.ts'
import type { CommandContext } from './context.ts'
import { dataFolderPath } from './data-folder-path.ts'
import { type CommonOptions, collect } from './options.ts'

/** Where a command that submits tasks finds cars and models. */
export interface MeshOptions extends CommonOptions {
  readonly dir?: string
  readonly join?: readonly string[]
  readonly mdns?: boolean
  readonly models?: string
}

/** What a client's peer is opened with. */
export type ClientOptions = Required<Pick<PeerOptions, 'dataFolder' | 'modelFolder' | 'join' | 'mdns'>>

/** A running peer answers at once; one that doesn't is no way in. */
const STATUS_LIMIT_MS = 3_000
/** Two commands on one data folder take turns. */
const TURN_CHECK_MS = 100
const LONGEST_TURN_MS = 600_000
/** Peers to join through; more only cost dials. */
const JOIN_THROUGH = 3

/** Adds the options that say where cars and models are found. */
export function withMeshOptions(command: Command): Command {
  return command
    .option('--dir <folder>', 'the testnet to ask (default: the one that runs here)')
    .option('--join <multiaddr>', 'a peer to join through; may be repeated', collect)
    .option('--mdns', 'find peers in the same network')
    .option('--models <folder>', 'the model store that knows names (default: the testnet’s, or models in the data folder)')
}

/**
 * Finds a way in: `--join`, the testnet in `--dir`, the car that runs on the data folder, the testnet that runs here, or
 * mDNS. Throws `ERR_NO_TESTNET` when there is none.
 */
export async function findMesh(options: MeshOptions, context: CommandContext): Promise<ClientOptions> {
  const given = { join: options.join ?? [], mdns: options.mdns ?? false }
  if (options.dir !== undefined) return throughTestnet(resolve(options.dir), options, context)
  const owner = dataFolderPath(options.dataDir, context.environment)
  const own: ClientOptions = { ...given, dataFolder: join(owner, 'client'), modelFolder: options.models ?? join(owner, 'models') }
  if (own.join.length > 0 || own.mdns) return own
  const up = await statusOf(owner)
  if (up !== undefined) return { ...own, join: up.addresses }
  const folder = defaultTestnetFolder()
  return throughTestnet(folder, options, context).catch(error => {
    if (isMotorpoolError(error, 'ERR_NO_TESTNET'))
      throw new MotorpoolError('ERR_NO_TESTNET', 'no way into a mesh is known; give --join MULTIADDR, --dir TESTNET or --mdns, or start motorpool testnet up')
    throw error
  })
}

/** Opens a client's peer; waits for its turn when another command uses the same data folder. */
export async function openClient(options: ClientOptions, context: CommandContext): Promise<Peer> {
  const { createPeer } = await import('../peer.ts')
  await mkdir(options.dataFolder, { recursive: true, mode: 0o700 })
  for (let waitedMs = 0; ; waitedMs += TURN_CHECK_MS) {
    try {
      return await createPeer(options)
    } catch (error) {
      if (!isMotorpoolError(error, 'ERR_DATA_FOLDER_LOCKED') || waitedMs >= LONGEST_TURN_MS) throw error
      if (waitedMs === 0) context.note(`waiting for another command that uses ${options.dataFolder}; --data-dir gives this one its own`)
    }
    await delay(TURN_CHECK_MS, undefined, { signal: context.signal })
  }
}

/** The status of the peer that runs on a data folder; undefined when none answers. */
export async function statusOf(dataFolder: string, signal?: AbortSignal): Promise<AdminStatus | undefined> {
  try {
    return await adminRequest(dataFolder, 'status', {}, { signal, timeoutMs: STATUS_LIMIT_MS })
  } catch {
    return undefined
  }
}

/**
 * An address of each car of a testnet that runs and is parked, asked now (a car that joined again has others), the
 * best connected first: one that is alone is no way in.
 */
export async function livingAddresses(state: TestnetState): Promise<string[]> {
  const statuses = await Promise.all(state.cars.map(car => statusOf(car.dataFolder)))
  const present = statuses.filter(status => status !== undefined).filter(status => status.car?.state !== 'away')
  return present.sort((left, right) => right.connections - left.connections).flatMap(status => status.addresses.slice(0, 1))
}

/** What a client of the testnet in a folder is opened with; `ERR_NO_TESTNET` when no car of it runs. */
export async function testnetClient(folder: string): Promise<ClientOptions> {
  const state = readTestnet(folder)
  const living = await livingAddresses(state)
  // Who isn't there now may be soon, at the same place.
  const later = living.length < JOIN_THROUGH && state.cars.some(isAlive) ? (state.day?.entrances ?? []).slice(0, JOIN_THROUGH) : []
  const through = [...living.slice(0, JOIN_THROUGH), ...later]
  if (through.length === 0)
    throw new MotorpoolError('ERR_NO_TESTNET', `no car of the testnet in ${folder} runs; start one with motorpool testnet park car-1 --dir ${folder}`)
  return { dataFolder: join(folder, 'client'), modelFolder: testnetModelFolder(folder), join: through, mdns: false }
}

async function throughTestnet(folder: string, options: MeshOptions, context: CommandContext): Promise<ClientOptions> {
  const client = await testnetClient(folder)
  return {
    dataFolder: options.dataDir === undefined ? client.dataFolder : join(dataFolderPath(options.dataDir, context.environment), 'client'),
    modelFolder: options.models ?? client.modelFolder,
    join: [...(options.join ?? []), ...client.join],
    mdns: options.mdns ?? false
  }
}
