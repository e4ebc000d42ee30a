import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Car, CarOptions } from './car/car.ts'
import { type CarStay, createCar } from './car/create-car.ts'
import { type LoadModelsInit, loadModels } from './car/load-models.ts'
import { type CarSeat, createCarSeat } from './car/owner/car-seat.ts'
import { createOwnerDesk, type OwnerDesk } from './car/owner/owner-desk.ts'
import { createStayKeeper, type StayKeeper } from './car/owner/stay-keeper.ts'
import { createTurns, type Turns } from './car/owner/turns.ts'
import { usageSchema } from './car/owner/usage-keeper.ts'
import { computerWatts } from './car/owner/vehicle-facts.ts'
import type { ClientCounts, Job, JobOutcome, RunOptions, TaskInputs, TaskResult } from './client/client.ts'
import { type Client, createClient } from './client/create-client.ts'
import { discoverShard } from './client/discover-shard.ts'
import { createModelFinder, isModelCid } from './client/find-model.ts'
import { cpuTimeMs } from './energy/meters/cpu-time.ts'
import { openMeter } from './energy/meters/open-meter.ts'
import { ownerDaysSchema, REPORT_FILE } from './energy/report/owner-day.ts'
import { startRunner } from './inference/start-runner.ts'
import { openCarJournal } from './ledger/store/car-journal.ts'
import { openClientJournal } from './ledger/store/client-journal.ts'
import { openDataFolder } from './ledger/store/data-folder.ts'
import { loadOrCreateSeed } from './ledger/store/key-file.ts'
import { openPrivateJson } from './ledger/store/private-json.ts'
import { createMesh } from './mesh/create-mesh.ts'
import type { FoundPeer, LinkHandlers, Mesh } from './mesh/mesh.ts'
import type { ModelPolicy } from './models/model.ts'
import { checkPolicy, isAllowed } from './models/model-policy.ts'
import { type ModelStore, openModelStore } from './models/model-store.ts'
import { openManifest } from './models/store/check-manifest.ts'
import { createShardGate } from './placement/shard-gate.ts'
import { stayHistorySchema } from './placement/stays/stay-history.ts'
import type { Hello } from './protocol/control.ts'
import { abortError, MotorpoolError } from './protocol/errors.ts'
import { type AccountId, cidToBytes, type PeerId, toHex } from './protocol/ids.ts'
import { type Clock, type Signer, signerFromSeed } from './protocol/signer.ts'

export interface PeerOptions {
  /** Keys, journals and models live here (0700); a temporary folder, removed at stop, unless given. */
  readonly dataFolder?: string
  /** A model store shared with other peers of this machine. @default `<dataFolder>/models` */
  readonly modelFolder?: string
  /** Multiaddrs to listen on. @default ['/ip4/127.0.0.1/tcp/0'] */
  readonly listen?: readonly string[]
  /** Multiaddrs of peers to join through; used only to get in. */
  readonly join?: readonly string[]
  /** Finds peers in the same network by mDNS. @default false */
  readonly mdns?: boolean
  /** `server`: answers DHT queries (publicly dialable peers, test nets). @default 'server' when it listens on loopback only, else 'client' */
  readonly dht?: 'server' | 'client'
  /** A lease without work is given back to its car after this, ms. @default 10000 */
  readonly leaseIdleMs?: number
  /** Offers inference; a peer without is a client. */
  readonly car?: CarOptions
}

export interface PeerStatus {
  /** Null while its car is away. */
  readonly peerId: PeerId | null
  readonly addresses: readonly string[]
  readonly connections: number
  readonly links: number
  readonly car: ReturnType<Car['status']> | null
  readonly client: ClientCounts
}

/** A member of the mesh; see the README for eight lines that use it. */
export interface Peer {
  /** Changes when its car leaves and joins again. */
  readonly peerId: PeerId
  /** The account that signs awards, hex; a car's is new at every stay. */
  readonly account: AccountId
  readonly car: Car | undefined
  addresses: () => readonly string[]
  /** Runs one task on some car. Model: a name in the store, or a CID. Errors: see RunOptions and docs/errors.md. */
  run: (model: string, inputs: TaskInputs, options?: RunOptions) => Promise<TaskResult>
  /** Runs many tasks; results come as they end, in any order. Leaving the loop cancels the rest. */
  submit: (job: Job) => AsyncIterable<JobOutcome>
  status: () => PeerStatus
  connections: () => readonly FoundPeer[]
  /** Round trip to a peer, ms. */
  ping: (peer: string, options?: { readonly signal?: AbortSignal }) => Promise<number>
  stop: () => Promise<void>
}

const AGENT = 'motorpool/0.1.0'
const LOOPBACK = ['/ip4/127.0.0.1/tcp/0']
/** How long peers that hold a model are looked for before it is fetched, ms. */
const FETCH_DISCOVERY_MS = 10_000
const NO_HANDLERS: LinkHandlers = { onMessage: () => undefined, onTransfer: (_link, _head, body) => body.discard(), onClose: () => undefined }
const SYSTEM_CLOCK: Clock = { monotonicMs: () => performance.now(), unixMs: () => Date.now() }
/** The vehicle's own figure of its computer's power isn't believed when it is older, ms. */
const VEHICLE_WATTS_MS = 60_000
const PROC = '/proc'
/** What happens in a trace that is played is forgotten with it. */
const NOT_KEPT = { read: () => undefined, write: () => undefined }
/** Addresses of earlier neighbours that a car tries when it joins again. */
const NEIGHBOURS_KEPT = 12

/** A peer's time on the mesh under one peer key. */
interface Session {
  readonly mesh: Mesh
  readonly client: Client
  readonly account: AccountId
  readonly stay: CarStay | undefined
}

/**
 * Joins the mesh. Errors: `ERR_DATA_FOLDER`, `ERR_DATA_FOLDER_LOCKED`, `ERR_ACCOUNT_KEY`, `ERR_ADDRESS_IN_USE`,
 * `ERR_INVALID_OPTION`, and for cars `ERR_MODEL_UNKNOWN`, `ERR_MODEL_NOT_ALLOWED`, `ERR_BAD_MODEL`.
 */
export function createPeer(options: PeerOptions = {}): Promise<Peer> {
  return createPeerFrom({ startRunner }, options)
}

/** What runs a peer's models. */
export type PeerParts = Pick<LoadModelsInit, 'startRunner'>

/** `createPeer` with other workers than our own, such as the bench's pretend accelerators. */
export async function createPeerFrom(parts: PeerParts, options: PeerOptions): Promise<Peer> {
  const temporary = options.dataFolder === undefined ? mkdtempSync(join(tmpdir(), 'motorpool-')) : undefined
  const cleanUp: (() => void)[] = temporary === undefined ? [] : [() => rmSync(temporary, { recursive: true, force: true })]
  const undo = (): void => {
    for (const act of cleanUp.splice(0).reverse()) act()
  }
  try {
    const folder = options.dataFolder ?? temporary ?? ''
    // Before the store makes it as a parent of its own, open to others.
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const store = await openModelStore(options.modelFolder ?? join(folder, 'models'))
    const assembly = openAssembly(folder, options, parts, store, cleanUp)
    return await assemble(assembly, undo)
  } catch (error) {
    undo()
    throw error
  }
}

interface Assembly {
  readonly options: PeerOptions
  readonly store: ModelStore
  readonly folder: string
  readonly startSession: (how: SessionStart) => Promise<Session>
}

/** What differs from one session to the next. */
interface SessionStart {
  readonly join: readonly string[]
  readonly signal: AbortSignal
  /** Absent for a peer that offers nothing. */
  readonly offering: { readonly desk: OwnerDesk; readonly why: string; readonly stayOdds: CarOptions['stayOdds'] } | undefined
}

function openAssembly(folder: string, options: PeerOptions, parts: PeerParts, store: ModelStore, cleanUp: (() => void)[]): Assembly {
  const clientFolder = openDataFolder(folder, 'client')
  cleanUp.push(() => clientFolder.close())
  const clientJournal = openClientJournal(clientFolder)
  cleanUp.push(() => clientJournal.close())
  const { car } = options
  if (car === undefined) {
    const account = signerFromSeed(loadOrCreateSeed(folder, 'account'))
    return {
      options,
      store,
      folder,
      startSession: how => startSession({ ...how, options, parts, store, clientJournal, account: () => account, offering: undefined })
    }
  }
  const carFolder = openDataFolder(folder, 'car')
  cleanUp.push(() => carFolder.close())
  const journal = openCarJournal(carFolder)
  cleanUp.push(() => journal.close())
  const deviceSeed = loadOrCreateSeed(folder, 'device')
  // A car that also asks does so under a new account each stay: one that lasts would link its stays.
  const account = (): Signer => signerFromSeed(randomBytes(32))
  return {
    options,
    store,
    folder,
    startSession: how =>
      startSession({
        ...how,
        options,
        parts,
        store,
        clientJournal,
        account,
        offering: how.offering === undefined ? undefined : { ...how.offering, car, journal, deviceSeed }
      })
  }
}

interface SessionInit {
  readonly options: PeerOptions
  readonly parts: PeerParts
  readonly store: ModelStore
  readonly join: readonly string[]
  readonly signal: AbortSignal
  readonly clientJournal: ReturnType<typeof openClientJournal>
  readonly account: () => Signer
  readonly offering:
    | {
        readonly car: CarOptions
        readonly journal: ReturnType<typeof openCarJournal>
        readonly deviceSeed: Uint8Array
        readonly desk: OwnerDesk
        readonly why: string
        readonly stayOdds: CarOptions['stayOdds']
      }
    | undefined
}

async function startSession(init: SessionInit): Promise<Session> {
  const { options, store, offering, signal } = init
  const policy = offering?.desk.modelPolicy() ?? options.car?.policy ?? {}
  await fetchMissing(options, store, policy, init.join, signal)
  const models =
    offering === undefined
      ? []
      : await loadModels(
          {
            store,
            startRunner: init.parts.startRunner,
            signal,
            checkPolicy: ({ cid, manifest }) => checkPolicy(policy, { cid, manifest }),
            isAllowed: ({ cid, manifest }) => isAllowed(policy, { cid, publisher: manifest.publisher })
          },
          offering.car
        )
  const account = init.account()
  let stay: CarStay | undefined
  let client: Client | undefined
  const mesh = await openMesh(
    options,
    init.join,
    store,
    () => ({
      type: 'hello',
      v: 1,
      agent: AGENT,
      account: account.publicKey,
      nonce: randomBytes(32),
      ...(stay === undefined ? {} : { capacity: stay.capacity() }),
      ...(models.length > 0 ? { shards: stay?.shards() ?? models.map(({ cid }): [Uint8Array, string, number] => [cidToBytes(cid), '', 1]) } : {})
    }),
    {
      onMessage: (link, message) => {
        stay?.handlers.onMessage(link, message)
        client?.handlers.onMessage(link, message)
      },
      onTransfer: (link, head, body) => {
        const role = head.type === 'task' ? stay : client
        if (role === undefined) body.discard()
        else role.handlers.onTransfer(link, head, body)
      },
      onClose: (link, error) => {
        stay?.handlers.onClose(link, error)
        client?.handlers.onClose(link, error)
      }
    }
  ).catch(async error => {
    await Promise.all(models.map(({ runner }) => runner.stop()))
    throw error
  })
  if (signal.aborted) {
    await Promise.all([...models.map(({ runner }) => runner.stop()), mesh.stop()])
    throw abortError(signal)
  }
  client = createClient({
    mesh,
    account,
    settings: options.leaseIdleMs === undefined ? {} : { leaseIdleMs: options.leaseIdleMs },
    clock: SYSTEM_CLOCK,
    randomBytes,
    journal: init.clientJournal,
    findModel: createModelFinder({ mesh, stored: nameOrCid => store.get(nameOrCid), openManifest, monotonicMs: SYSTEM_CLOCK.monotonicMs })
  })
  if (offering !== undefined) {
    const { car, journal, deviceSeed, desk, why, stayOdds } = offering
    const energy = desk.energy()
    stay = createCar({
      mesh,
      deviceSeed,
      accountIndex: randomBytes(4).readUInt32BE(),
      clock: SYSTEM_CLOCK,
      random: Math.random,
      journal,
      models,
      slots: car.slots ?? 1,
      hardware: hardwareClass(),
      priceOf: desk.priceOf,
      isAllowed: desk.isAllowed,
      energy,
      why,
      ...(car.shards === undefined ? {} : { shards: car.shards }),
      ...(stayOdds === undefined ? {} : { stayOdds }),
      onEvent: event => {
        desk.note(event)
        car.onEvent?.(event)
      }
    })
  }
  return { mesh, client, stay, account: toHex(account.publicKey) as AccountId }
}

function openMesh(options: PeerOptions, join: readonly string[], store: ModelStore, hello: () => Hello, handlers: LinkHandlers): Promise<Mesh> {
  const listen = options.listen ?? LOOPBACK
  return createMesh({
    seed: randomBytes(32),
    listen,
    join,
    mdns: options.mdns ?? false,
    dht: options.dht ?? dhtModeFor(listen),
    hello,
    handlers,
    validate: createShardGate(SYSTEM_CLOCK.unixMs, options.car?.shards?.beaconMs),
    readBlock: cid => store.readBlock(cid)
  })
}

/** Models that the car names by CID and doesn't have come from peers, under a peer key that is used for nothing else. */
async function fetchMissing(options: PeerOptions, store: ModelStore, policy: ModelPolicy, join: readonly string[], signal: AbortSignal): Promise<void> {
  const stored = new Set((await store.list()).map(({ cid }) => cid))
  const missing = (options.car?.models ?? []).filter(isModelCid).filter(cid => !stored.has(cid))
  if (missing.length === 0) return
  const mesh = await openMesh(options, join, store, () => ({ type: 'hello', v: 1, agent: AGENT }), NO_HANDLERS)
  try {
    for (const cid of missing) {
      await discoverShard(mesh, cid, AbortSignal.any([signal, AbortSignal.timeout(FETCH_DISCOVERY_MS)]))
      await store.fetch(cid, { fetch: mesh.fetchBlock }, { policy, signal })
    }
  } finally {
    await mesh.stop()
  }
}

/** Only publicly dialable peers answer DHT queries; on loopback everybody is dialable. */
function dhtModeFor(listen: readonly string[]): 'server' | 'client' {
  return listen.every(address => /^\/(ip4\/127\.|ip6\/::1\/)/.test(address)) ? 'server' : 'client'
}

function hardwareClass(): 'cpu-2' | 'cpu-4' | 'cpu-8' | 'cpu-16' {
  const cores = availableParallelism()
  return cores >= 16 ? 'cpu-16' : cores >= 8 ? 'cpu-8' : cores >= 4 ? 'cpu-4' : 'cpu-2'
}

async function assemble({ options, startSession, folder }: Assembly, release: () => void): Promise<Peer> {
  let neighbours: readonly string[] = []
  let networkBytes = 0
  let stopping: Promise<void> | undefined
  const turns: Turns<Session> = createTurns<Session>({
    start: signal =>
      startSession({
        join: [...new Set([...(options.join ?? []), ...neighbours])],
        signal,
        offering: desk === undefined || seat === undefined ? undefined : { desk, why: seat.why(), stayOdds: options.car?.stayOdds ?? stays?.odds }
      }),
    hurry: ({ stay }, departure) => void stay?.depart(departure),
    end: async ({ mesh, client, stay }, departure) => {
      neighbours = mesh
        .connections()
        .flatMap(({ addresses }) => addresses)
        .slice(0, NEIGHBOURS_KEPT)
      await stay?.depart(departure)
      client.stop()
      if (stay !== undefined) seat?.noteEnd(stay)
      await mesh.stop()
      networkBytes += mesh.transferredBytes()
    }
  })
  const vehicleClock = options.car?.vehicleClock ?? SYSTEM_CLOCK
  const desk =
    options.car === undefined
      ? undefined
      : openOwnerDesk(folder, options.car, turns.session, () => networkBytes + (turns.session()?.mesh.transferredBytes() ?? 0))
  const stays = options.car?.vehicle === undefined || desk === undefined ? undefined : openStayKeeper(folder, options.car, desk)
  const seat: CarSeat | undefined =
    options.car === undefined || desk === undefined
      ? undefined
      : createCarSeat({ options: options.car, turns, desk, stays, vehicleClock, nowMs: SYSTEM_CLOCK.monotonicMs })
  const car = seat?.car

  const here = (): Session => {
    const session = turns.session()
    if (session !== undefined && stopping === undefined) return session
    throw stopping !== undefined
      ? new MotorpoolError('ERR_STOPPED', 'this peer has stopped; create a new one')
      : new MotorpoolError('ERR_LEAVING', 'this car is away, so it is not on the mesh; park it first')
  }
  const stop = async (): Promise<void> => {
    const attended = seat?.stop()
    try {
      await turns.leave({ reason: 'this peer stops', secondsLeft: 0 })
      await attended
      desk?.stop()
      await options.car?.vehicle?.stop()
    } finally {
      release()
    }
  }

  if (options.car?.vehicle !== undefined) seat?.attend()
  else if (options.car?.parked !== false)
    await (car === undefined ? turns.enter() : car.park()).catch(error => {
      desk?.stop()
      throw error
    })

  return {
    get peerId() {
      return here().mesh.peerId
    },
    get account() {
      return here().account
    },
    car,
    addresses: () => here().mesh.addresses(),
    run: async (model, inputs, runOptions) => here().client.run(model, inputs, runOptions),
    submit: job => here().client.submit(job),
    status: () => {
      const session = turns.session()
      return {
        peerId: session?.mesh.peerId ?? null,
        addresses: session?.mesh.addresses() ?? [],
        connections: session?.mesh.connections().length ?? 0,
        links: session?.mesh.links().length ?? 0,
        car: car?.status() ?? null,
        client: session?.client.counts() ?? { leases: 0, submitted: 0, done: 0, failed: 0, moved: 0, droppedLate: 0 }
      }
    },
    connections: () => turns.session()?.mesh.connections() ?? [],
    ping: async (peer, pingOptions) => here().mesh.ping(peer.startsWith('/') ? await here().mesh.connect(peer, pingOptions) : (peer as PeerId), pingOptions),
    stop: () => {
      stopping ??= stop()
      return stopping
    }
  }
}

function openStayKeeper(folder: string, { vehicleClock }: CarOptions, desk: OwnerDesk): StayKeeper {
  return createStayKeeper({
    store: vehicleClock === undefined ? openPrivateJson(join(folder, 'stays.json'), stayHistorySchema, 'what the car has learnt of its stays') : NOT_KEPT,
    unixMs: (vehicleClock ?? SYSTEM_CLOCK).unixMs,
    timeZone: () => {
      const policy = desk.policy()
      return typeof policy === 'string' ? null : policy.timeZone
    },
    rate: vehicleClock?.rate ?? 1
  })
}

function openOwnerDesk(folder: string, car: CarOptions, session: () => Session | undefined, networkBytes: () => number): OwnerDesk {
  const { vehicle, vehicleClock = SYSTEM_CLOCK, energy = {} } = car
  const models = () => session()?.stay?.status().models ?? []
  return createOwnerDesk({
    options: car,
    nowMs: SYSTEM_CLOCK.monotonicMs,
    unixMs: vehicleClock.unixMs,
    usageStore: car.vehicleClock === undefined ? openPrivateJson(join(folder, 'usage.json'), usageSchema, 'what was used of today’s caps') : NOT_KEPT,
    reportStore: car.vehicleClock === undefined ? openPrivateJson(join(folder, REPORT_FILE.name), ownerDaysSchema, REPORT_FILE.holds) : NOT_KEPT,
    cores: availableParallelism(),
    openMeter: () =>
      openMeter({
        ...energy,
        processIds: () => models().flatMap(({ workerPids }) => workerPids),
        ...(vehicle === undefined ? {} : { vehicleWatts: () => computerWatts(vehicle.signals(), SYSTEM_CLOCK.monotonicMs(), VEHICLE_WATTS_MS) })
      }),
    cpuMsOf: cid => {
      const times = (models().find(model => model.cid === cid)?.workerPids ?? []).map(pid => cpuTimeMs(PROC, pid))
      return times.reduce((sum, time) => (sum === null || time === null ? null : sum + time), 0)
    },
    networkBytes,
    running: () => session()?.stay?.status().running
  })
}
