import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Car } from './car/car.ts'
import { type CarSeat, createCarSeat } from './car/owner/car-seat.ts'
import { createTurns, type Turns } from './car/owner/turns.ts'
import type { ClientCounts, Job, JobOutcome, RunOptions, TaskInputs, TaskResult } from './client/client.ts'
import { startRunner } from './inference/start-runner.ts'
import type { FoundPeer } from './mesh/mesh.ts'
import { openModelStore } from './models/model-store.ts'
import { openOwnerDesk, openStayKeeper } from './peer/open-owner.ts'
import { openSessions } from './peer/open-sessions.ts'
import { type PeerOptions, type PeerParts, SYSTEM_CLOCK } from './peer/peer-options.ts'
import type { Session } from './peer/session.ts'
import { MotorpoolError } from './protocol/errors.ts'
import type { AccountId, PeerId } from './protocol/ids.ts'

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

/** Addresses of earlier neighbours that a car tries when it joins again. */
const NEIGHBOURS_KEPT = 12

/**
 * Joins the mesh. Errors: `ERR_DATA_FOLDER`, `ERR_DATA_FOLDER_LOCKED`, `ERR_ACCOUNT_KEY`, `ERR_ADDRESS_IN_USE`,
 * `ERR_INVALID_OPTION`, and for cars `ERR_MODEL_UNKNOWN`, `ERR_MODEL_NOT_ALLOWED`, `ERR_BAD_MODEL`.
 */
export function createPeer(options: PeerOptions = {}): Promise<Peer> {
  return createPeerFrom({ startRunner }, options)
}

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
    return await assemble(folder, options, openSessions(folder, options, parts, store, cleanUp), undo)
  } catch (error) {
    undo()
    throw error
  }
}

async function assemble(folder: string, options: PeerOptions, startSession: ReturnType<typeof openSessions>, release: () => void): Promise<Peer> {
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
      : openOwnerDesk(
          folder,
          options.car,
          () => turns.session()?.stay,
          () => networkBytes + (turns.session()?.mesh.transferredBytes() ?? 0)
        )
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
