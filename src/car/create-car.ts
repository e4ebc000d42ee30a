import { setTimeout as delay } from 'node:timers/promises'
import type { Price } from '../ledger/price.ts'
import type { CarJournal } from '../ledger/store/car-journal.ts'
import type { Link, LinkHandlers, Mesh } from '../mesh/mesh.ts'
import { openHeardAnnouncement } from '../placement/open-gossip.ts'
import { SHARD_DEFAULTS, type ShardSettings } from '../placement/shards.ts'
import { toldLengthS } from '../placement/stays/stay-odds.ts'
import { ALL_CARS, answersRound } from '../placement/suppression.ts'
import type { Announcement, Capacity } from '../protocol/announcement.ts'
import { sealEnvelope } from '../protocol/envelope.ts'
import { anySignal, isMotorpoolError } from '../protocol/errors.ts'
import {
  type AccountId,
  cidFromBytes,
  cidToBytes,
  fromHex,
  type LeaseId,
  type ModelCid,
  type PeerId,
  peerIdFromBytes,
  peerIdToBytes,
  type TaskId,
  toHex
} from '../protocol/ids.ts'
import type { Clock } from '../protocol/signer.ts'
import type { CarEvent, CarStatus, Underpaid } from './car.ts'
import { type CarEffect, type CarStepEvent, type CarWork, expectedS, initialCarWork } from './car-state.ts'
import { carStep, drainMs } from './car-step.ts'
import type { LoadedModel } from './load-models.ts'
import { createOfferDesk } from './offers.ts'
import type { EnergyAccount } from './owner/energy-account.ts'
import { joinShard, type ShardMember } from './shard-member.ts'
import { createTaskDesk } from './task-desk.ts'

export interface CarInit {
  readonly mesh: Mesh
  readonly deviceSeed: Uint8Array
  /** Which of a client's accounts this stay uses. */
  readonly accountIndex: number
  readonly clock: Clock
  readonly random: () => number
  readonly journal: CarJournal
  readonly models: readonly LoadedModel[]
  readonly slots: 1 | 2 | 4 | 8
  readonly hardware: Capacity['hardware']
  /** The owner's terms for a model now. */
  readonly priceOf: (model: ModelCid) => Price
  /** Whether the owner works for an account now. */
  readonly isAllowed: (client: AccountId) => boolean
  readonly energy: EnergyAccount
  /** Why it joined, for the owner. */
  readonly why: string
  /** @default SHARD_DEFAULTS */
  readonly shards?: Partial<ShardSettings>
  /** Odds that the vehicle stays for so many seconds more, in [0, 1], as it has learnt; null when nothing tells. @default null: it tries all */
  readonly stayOdds?: (lengthS: number) => number | null
  readonly onEvent: (event: CarEvent) => void
}

/** One stay of a car on the mesh, from joining to departure. */
export interface CarStay {
  readonly handlers: LinkHandlers
  /** The signed capacity record as it is now. */
  capacity: () => Uint8Array
  /** Per model CID bytes: shard prefix and cars counted there; for hello. */
  shards: () => [Uint8Array, string, number][]
  status: () => Omit<CarStatus, 'joins' | 'energy' | 'vehicle'>
  /** Nothing is admitted any more that couldn't be finished by then (monotonic ms); null when no end is foreseen. */
  expectEnd: (atMs: number | null) => void
  /** How long its work and one task more take, ms. */
  drainMs: () => number
  /** Resolves when the workers are gone and everybody was told. */
  depart: (departure: { readonly reason: string; readonly secondsLeft: number }) => Promise<void>
}

/** Tasks that wait in each worker where it may run them together; elsewhere they wait here, where clients are served in turn. */
const BATCH_AHEAD = 15

/** Cars answer after a random part of this, so that a dialled client isn't hit by all at once, ms. */
const DIAL_SPREAD_MS = 50
const DIAL_MS = 3000
/** Capacity records outlive a renewal (12 min) and are dead within half an hour, seconds. */
const CAPACITY_SECONDS = 1800
const CAPACITY_RENEWAL_MS = 12 * 60_000
/** A foreseen end that moves by less is the same, ms. */
const SAME_END_MS = 50
/** All that clients are told: the owner's reasons say where the driver is and when. */
const TOLD_REASON = 'the vehicle is needed'
/** Saying goodbye on the DHT and sending the last results must not hold up a departure for longer, ms. */
const FAREWELL_MS = 1000

export function createCar(init: CarInit): CarStay {
  const { mesh, clock, onEvent } = init
  const nowSeconds = (): number => Math.floor(clock.unixMs() / 1000)
  const desk = createOfferDesk({
    peer: mesh.peerId,
    peerSigner: mesh.signer,
    deviceSeed: init.deviceSeed,
    accountIndex: init.accountIndex,
    priceOf: init.priceOf,
    energyMjOf: model => wholeOrNull(init.energy.expected(model)?.marginalMj),
    isAllowed: init.isAllowed,
    nowSeconds
  })
  const models = new Map(init.models.map(model => [model.cid, model]))
  const rounds = new Map<string, Announcement>()
  let heard = 0
  let underpaid: Underpaid | null = null
  let leftFor = ''
  const gone = Promise.withResolvers<void>()
  const ended = new AbortController()
  const batches = init.models.length > 0 && init.models.every(({ runner }) => runner.model.batching === 'rows')
  let work: CarWork = initialCarWork({ slots: init.slots, ...(batches ? { ahead: BATCH_AHEAD * init.slots } : {}) })
  let timer: NodeJS.Timeout | undefined
  const tasks = createTaskDesk({
    clock,
    journal: init.journal,
    models,
    signal: ended.signal,
    work: () => work,
    step,
    accountFor: desk.accountFor,
    energy: init.energy,
    stayFor: model => stayFor(expectedS(work, model)),
    say,
    onEvent
  })

  function stayFor(lengthS: number | null): number | null {
    return lengthS === null ? null : (init.stayOdds?.(lengthS) ?? null)
  }

  function step(event: CarStepEvent): void {
    const [next, effects] = carStep(work, event, clock.monotonicMs())
    work = next
    for (const effect of effects) carryOut(effect)
  }

  step({ type: 'parked', models: [...models.keys()] })
  const members = new Map<ModelCid, ShardMember>([...models.keys()].map(cid => [cid, joinShards(cid)]))
  const renewal = setInterval(publishCapacity, CAPACITY_RENEWAL_MS)
  renewal.unref()
  void publishCapacity()
  onEvent({ type: 'joined', why: init.why })

  function joinShards(model: ModelCid): ShardMember {
    const settings = { ...SHARD_DEFAULTS, ...init.shards }
    const onMove = ({ from, to, cars }: { readonly from: string; readonly to: string; readonly cars: number }): void =>
      onEvent({ type: 'shard-changed', model, from, to, cars })
    return joinShard({ mesh, model, settings, clock, random: init.random, onMessage: hear, onMove })
  }

  function capacity(away: boolean): Uint8Array {
    const record: Capacity = {
      v: 1,
      peer: peerIdToBytes(mesh.peerId),
      hardware: init.hardware,
      accelerator: 'none',
      slots: init.slots,
      models: away ? [] : [...models.keys()].map(cidToBytes),
      away,
      issued: nowSeconds(),
      expires: nowSeconds() + CAPACITY_SECONDS
    }
    return sealEnvelope(mesh.signer, 'capacity', record)
  }

  async function publishCapacity(): Promise<void> {
    await mesh.putCapacity(capacity(false), { signal: ended.signal }).catch(() => undefined)
  }

  /** Hears an announcement that the gate let through; answers if it is this car's turn. */
  function hear(message: Uint8Array): void {
    heard++
    onEvent({ type: 'announcement-heard' })
    const { value: announcement } = openHeardAnnouncement(message)
    const ask = toHex(announcement.task)
    const model = cidFromBytes(announcement.model)
    const { perTask, perItem, unit } = init.priceOf(model)
    const price = perTask + perItem
    if (price > announcement.ceiling || (unit !== announcement.unit && price > 0)) {
      const offered = { price: announcement.ceiling, unit: announcement.unit }
      if (models.has(model)) underpaid = { heard: (underpaid?.heard ?? 0) + 1, asks: { price, unit }, offered }
      return
    }
    if (!answersRound(announcement.task, announcement.round, peerIdToBytes(mesh.peerId), announcement.theta)) return
    rounds.set(ask, announcement)
    for (const [old, { expires }] of rounds) if (expires < nowSeconds()) rounds.delete(old)
    step({
      type: 'announced',
      ask,
      client: peerIdFromBytes(announcement.client),
      model,
      stay: stayFor(toldLengthS(announcement, expectedS(work, model))),
      expiresMs: clock.monotonicMs() + Math.max(0, announcement.expires - nowSeconds()) * 1000,
      asksAll: announcement.theta >= ALL_CARS
    })
  }

  function carryOut(effect: CarEffect): void {
    switch (effect.type) {
      case 'offer':
        return void offer(effect)
      case 'grant': {
        onEvent({ type: 'granted', client: effect.client, slots: effect.slots })
        return say(effect.client, { type: 'granted', lease: fromHex(effect.lease), slots: effect.slots })
      }
      case 'refuse': {
        onEvent({ type: 'refused', client: effect.client, reason: effect.code })
        return say(effect.client, { type: 'busy', lease: fromHex(effect.lease), code: effect.code, retryAfterMs: effect.retryAfterMs })
      }
      case 'run':
        return void tasks.run(effect.task)
      case 'end-lease':
        return say(effect.client, { type: 'release', lease: fromHex(effect.lease) })
      case 'abort':
        return tasks.abort(effect)
      case 'reply':
        return void tasks.reply(effect)
      case 'fail':
        return tasks.fail(effect)
      case 'tell-leaving': {
        for (const client of effect.clients) say(client, { type: 'leaving', secondsLeft: effect.secondsLeft, reason: TOLD_REASON })
        return
      }
      case 'gone':
        return void finish()
      case 'wake': {
        clearTimeout(timer)
        timer = setTimeout(() => step({ type: 'woken' }), Math.max(0, effect.atMs - clock.monotonicMs()))
      }
    }
  }

  function linkTo(client: PeerId): Link | undefined {
    return mesh.links().find(link => link.remote === client && !link.closed)
  }

  function say(client: PeerId, message: Parameters<Link['send']>[0]): void {
    try {
      linkTo(client)?.send(message)
    } catch (error) {
      if (!isMotorpoolError(error, 'ERR_LINK_CLOSED')) throw error
    }
  }

  async function offer(effect: Extract<CarEffect, { type: 'offer' }>): Promise<void> {
    const announcement = rounds.get(effect.ask)
    if (announcement === undefined) return
    try {
      const link = linkTo(effect.client) ?? (await dial(announcement))
      const written = desk.write(link, effect, announcement.round)
      if (written === undefined || work.phase !== 'parked') return
      link.send({ type: 'offer', ...written })
      onEvent({ type: 'offered', client: effect.client })
    } catch {
      /* a client that can't be reached has other cars */
    }
  }

  async function dial({ client, addresses }: Announcement): Promise<Link> {
    await new Promise(resolve => setTimeout(resolve, init.random() * DIAL_SPREAD_MS))
    const signal = anySignal(ended.signal, AbortSignal.timeout(DIAL_MS))
    return mesh.link(peerIdFromBytes(client), { signal, addresses })
  }

  async function finish(): Promise<void> {
    clearTimeout(timer)
    clearInterval(renewal)
    // The processes first: whatever else fails, they are gone.
    const stopped = Promise.all([...models.values()].map(model => model.runner.stop().catch(() => undefined)))
    const sent = tasks
      .close()
      .catch(error => onEvent({ type: 'failed', client: mesh.peerId, reason: `the last receipts could not be signed: ${String(error)}` }))
    await stopped
    await Promise.all([
      Promise.race([sent, delay(FAREWELL_MS, undefined, { ref: false })]),
      mesh.putCapacity(capacity(true), { signal: AbortSignal.timeout(FAREWELL_MS) }).catch(() => undefined),
      ...[...members.values()].map(member => member.leave())
    ])
    ended.abort()
    onEvent({ type: 'left', reason: leftFor })
    gone.resolve()
  }

  const handlers: LinkHandlers = {
    onMessage: (link, message) => {
      switch (message.type) {
        case 'award': {
          const award = desk.readAward(link, message.award)
          if ('refusal' in award) return carryOut({ type: 'refuse', client: link.remote, lease: award.lease, code: award.refusal, retryAfterMs: 0 })
          const { account: client } = link.hello
          if (client !== undefined) tasks.open(award.lease, { client, model: award.model, price: award.price })
          step({ type: 'awarded', lease: award.lease, client: link.remote, model: award.model, slots: award.slots })
          return tasks.tidy()
        }
        case 'cancel': {
          const named = { lease: toHex(message.lease) as LeaseId, task: toHex(message.task) as TaskId, attempt: message.attempt }
          if (work.leases.get(named.lease)?.client === link.remote) tasks.cancelReading(named)
          return step({ type: 'cancelled', client: link.remote, ...named })
        }
        case 'release': {
          const lease = toHex(message.lease) as LeaseId
          step({ type: 'released', lease, client: link.remote })
          tasks.tidy()
        }
      }
    },
    onTransfer: (link, head, body) => {
      if (head.type === 'task') tasks.admit(link, head, body)
      else body.discard()
    },
    onClose: link => {
      step({ type: 'client-lost', client: link.remote })
      tasks.tidy()
    }
  }

  return {
    handlers,
    capacity: () => capacity(work.phase !== 'parked'),
    shards: () => [...members].map(([cid, member]) => [cidToBytes(cid), member.bits(), member.cars()]),
    status: () => ({
      state: work.phase,
      slots: init.slots,
      running: [...work.tasks.values()].filter(task => task.startedMs !== null).length,
      queued: [...work.tasks.values()].filter(task => task.startedMs === null).length,
      heard,
      underpaid,
      ...tasks.counts(),
      models: [...models.values()].map(({ cid, name, runner }) => ({ cid, name, medianRunUs: work.models.get(cid) ?? null, workerPids: runner.pids }))
    }),
    expectEnd: atMs => {
      if (atMs === null ? work.endsAtMs !== null : Math.abs(atMs - (work.endsAtMs ?? 0)) > SAME_END_MS) step({ type: 'end-expected', atMs })
    },
    drainMs: () => drainMs(work),
    depart: async ({ reason, secondsLeft }) => {
      if (work.phase === 'parked') leftFor = reason
      step({ type: 'departing', reason, secondsLeft })
      await gone.promise
    }
  }
}

function wholeOrNull(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value)
}
