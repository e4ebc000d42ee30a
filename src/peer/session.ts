import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { CarOptions } from '../car/car.ts'
import { type CarStay, createCar } from '../car/create-car.ts'
import { type LoadedModel, loadModels } from '../car/load-models.ts'
import type { OwnerDesk } from '../car/owner/owner-desk.ts'
import { type Client, createClient } from '../client/create-client.ts'
import { createModelFinder } from '../client/find-model.ts'
import type { CarJournal } from '../ledger/store/car-journal.ts'
import type { ClientJournal } from '../ledger/store/client-journal.ts'
import type { Mesh } from '../mesh/mesh.ts'
import { checkPolicy, isAllowed } from '../models/model-policy.ts'
import type { ModelStore } from '../models/model-store.ts'
import { openManifest } from '../models/store/check-manifest.ts'
import type { Hello } from '../protocol/control.ts'
import { abortError } from '../protocol/errors.ts'
import { type AccountId, cidToBytes, toHex } from '../protocol/ids.ts'
import type { Signer } from '../protocol/signer.ts'
import { fetchMissing } from './fetch-missing.ts'
import { openMesh } from './open-mesh.ts'
import { AGENT, type PeerOptions, type PeerParts, SYSTEM_CLOCK } from './peer-options.ts'

/** A peer's time on the mesh under one peer key. */
export interface Session {
  readonly mesh: Mesh
  readonly client: Client
  readonly account: AccountId
  readonly stay: CarStay | undefined
}

/** What a car offers during a session. */
interface Offering {
  readonly car: CarOptions
  readonly journal: CarJournal
  readonly deviceSeed: Uint8Array
  readonly desk: OwnerDesk
  /** Why it joined, in the owner's words. */
  readonly why: string
  readonly stayOdds: CarOptions['stayOdds']
}

export interface SessionInit {
  readonly options: PeerOptions
  readonly parts: PeerParts
  readonly store: ModelStore
  readonly join: readonly string[]
  readonly signal: AbortSignal
  readonly journal: ClientJournal
  readonly account: Signer
  /** Absent for a peer that offers nothing. */
  readonly offering: Offering | undefined
}

/** Joins the mesh, with its models loaded if it offers any; leaves nothing behind when it fails or the signal aborts. */
export async function startSession(init: SessionInit): Promise<Session> {
  const { options, store, offering, signal, account } = init
  const models = await openModels(init)
  let stay: CarStay | undefined
  let client: Client | undefined
  const mesh = await openMesh(options, init.join, store, hello, {
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
    },
    onTick: link => client?.handlers.onTick?.(link)
  }).catch(async error => {
    await stopAll(models)
    throw error
  })
  if (signal.aborted) {
    await Promise.all([stopAll(models), mesh.stop()])
    throw abortError(signal)
  }
  client = createClient({
    mesh,
    account,
    settings: options.leaseIdleMs === undefined ? {} : { leaseIdleMs: options.leaseIdleMs },
    clock: SYSTEM_CLOCK,
    randomBytes,
    journal: init.journal,
    findModel: createModelFinder({ mesh, stored: nameOrCid => store.get(nameOrCid), openManifest, monotonicMs: SYSTEM_CLOCK.monotonicMs })
  })
  if (offering !== undefined) stay = openStay(mesh, models, offering)
  return { mesh, client, stay, account: toHex(account.publicKey) as AccountId }

  function hello(): Hello {
    return {
      type: 'hello',
      v: 1,
      agent: AGENT,
      account: account.publicKey,
      nonce: randomBytes(32),
      ...(stay === undefined ? {} : { capacity: stay.capacity() }),
      ...(models.length > 0 ? { shards: stay?.shards() ?? models.map(({ cid }): [Uint8Array, string, number] => [cidToBytes(cid), '', 1]) } : {})
    }
  }
}

/** Fetches what a car offers and doesn't have, and loads all of it. */
async function openModels({ options, parts, store, join, signal, offering }: SessionInit): Promise<readonly LoadedModel[]> {
  const policy = offering?.desk.modelPolicy() ?? options.car?.policy ?? {}
  await fetchMissing(options, store, policy, join, signal)
  if (offering === undefined) return []
  return loadModels(
    {
      store,
      startRunner: parts.startRunner,
      signal,
      checkPolicy: ({ cid, manifest }) => checkPolicy(policy, { cid, manifest }),
      isAllowed: ({ cid, manifest }) => isAllowed(policy, { cid, publisher: manifest.publisher })
    },
    offering.car
  )
}

function openStay(mesh: Mesh, models: readonly LoadedModel[], { car, journal, deviceSeed, desk, why, stayOdds }: Offering): CarStay {
  return createCar({
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
    energy: desk.energy(),
    why,
    ...(car.shards === undefined ? {} : { shards: car.shards }),
    ...(stayOdds === undefined ? {} : { stayOdds }),
    onEvent: event => {
      desk.note(event)
      car.onEvent?.(event)
    }
  })
}

async function stopAll(models: readonly LoadedModel[]): Promise<void> {
  await Promise.all(models.map(({ runner }) => runner.stop()))
}

function hardwareClass(): 'cpu-2' | 'cpu-4' | 'cpu-8' | 'cpu-16' {
  const cores = availableParallelism()
  return cores >= 16 ? 'cpu-16' : cores >= 8 ? 'cpu-8' : cores >= 4 ? 'cpu-4' : 'cpu-2'
}
