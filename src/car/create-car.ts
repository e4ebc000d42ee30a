import type { Runner, RunResult } from '../inference/runner.ts'
import type { Price } from '../ledger/price.ts'
import type { CarJournal } from '../ledger/store/car-journal.ts'
import type { Link, LinkHandlers, Mesh, TransferBody } from '../mesh/mesh.ts'
import { answersRound } from '../placement/suppression.ts'
import type { Announcement, Capacity } from '../protocol/announcement.ts'
import { openAnnouncement, sealEnvelope } from '../protocol/envelope.ts'
import { isMotorpoolError, MotorpoolError } from '../protocol/errors.ts'
import {
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
import type { Value } from '../protocol/tensor.ts'
import type { TaskHead } from '../protocol/transfer.ts'
import { readTask, sendResult } from './answer-task.ts'
import type { CarEvent, CarStatus } from './car.ts'
import { type AdmittedTask, type CarEffect, type CarStepEvent, type CarWork, initialCarWork } from './car-state.ts'
import { carStep } from './car-step.ts'
import { createOfferDesk } from './offers.ts'
import { joinShard, type ShardMember } from './shard-member.ts'

/** A model that is loaded in its worker. */
export interface LoadedModel {
  readonly cid: ModelCid
  readonly name: string
  readonly runner: Runner
}

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
  readonly price: Price
  readonly onEvent: (event: CarEvent) => void
}

/** One stay of a car on the mesh, from joining to departure. */
export interface CarStay {
  readonly handlers: LinkHandlers
  /** Per model CID bytes: shard prefix and cars counted there; for hello. */
  shards: () => [Uint8Array, string, number][]
  status: () => Omit<CarStatus, 'state'> & { readonly state: CarStatus['state'] }
  /** Resolves when the workers are gone and everybody was told. */
  depart: (departure: { readonly reason: string; readonly secondsLeft: number }) => Promise<void>
}

interface Admission {
  readonly link: Link
  readonly head: TaskHead
  readonly value: Value
  readonly admittedMs: number
  readonly readUs: number
  readonly stop: AbortController
  startedMs: number
  result: RunResult | undefined
}
interface Lease {
  readonly client: Uint8Array
  readonly price: Price
}

/** Tasks that wait in the worker where it may run them together; elsewhere they wait here, where clients are served in turn. */
const BATCH_AHEAD = 15

/** Cars answer after a random part of this, so that a dialled client isn't hit by all at once, ms. */
const DIAL_SPREAD_MS = 50
const DIAL_MS = 3000
/** Capacity records outlive a renewal (12 min) and are dead within half an hour, seconds. */
const CAPACITY_SECONDS = 1800
const CAPACITY_RENEWAL_MS = 12 * 60_000
/** Saying goodbye on the DHT is a courtesy that must not hold up a departure, ms. */
const FAREWELL_MS = 1000

export function createCar(init: CarInit): CarStay {
  const { mesh, clock, journal, onEvent } = init
  const nowSeconds = (): number => Math.floor(clock.unixMs() / 1000)
  const desk = createOfferDesk({
    peer: mesh.peerId,
    peerSigner: mesh.signer,
    deviceSeed: init.deviceSeed,
    accountIndex: init.accountIndex,
    price: init.price,
    nowSeconds
  })
  const models = new Map(init.models.map(model => [model.cid, model]))
  const admissions = new Map<string, Admission>()
  const reading = new Map<string, AbortController>()
  const leases = new Map<LeaseId, Lease>()
  const rounds = new Map<string, Announcement>()
  const counts = { heard: 0, done: 0, failed: 0, handedBack: 0 }
  const gone = Promise.withResolvers<void>()
  const ended = new AbortController()
  const batches = init.models.length > 0 && init.models.every(({ runner }) => runner.model.batching === 'rows')
  let work: CarWork = initialCarWork({ slots: init.slots, ...(batches ? { ahead: BATCH_AHEAD } : {}) })
  let timer: NodeJS.Timeout | undefined

  function step(event: CarStepEvent): void {
    const [next, effects] = carStep(work, event, clock.monotonicMs())
    work = next
    for (const effect of effects) carryOut(effect)
  }

  step({ type: 'parked', models: [...models.keys()] })
  const members = new Map<ModelCid, ShardMember>([...models.keys()].map(cid => [cid, joinShard(mesh, cid, '', hear)]))
  const renewal = setInterval(publishCapacity, CAPACITY_RENEWAL_MS)
  renewal.unref()
  void publishCapacity()
  onEvent({ type: 'joined' })

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
    counts.heard++
    onEvent({ type: 'announcement-heard' })
    const { value: announcement } = openAnnouncement(message)
    const ask = toHex(announcement.task)
    const { price } = init
    if (price.perTask + price.perItem > announcement.ceiling || (price.unit !== announcement.unit && price.perTask + price.perItem > 0)) return
    if (!answersRound(announcement.task, announcement.round, peerIdToBytes(mesh.peerId), announcement.theta)) return
    rounds.set(ask, announcement)
    for (const [old, { expires }] of rounds) if (expires < nowSeconds()) rounds.delete(old)
    step({
      type: 'announced',
      ask,
      client: peerIdFromBytes(announcement.client),
      model: cidFromBytes(announcement.model),
      expiresMs: clock.monotonicMs() + Math.max(0, announcement.expires - nowSeconds()) * 1000
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
        return void run(effect.task)
      case 'abort':
        return abort(effect)
      case 'reply':
        return void reply(effect)
      case 'fail':
        return fail(effect)
      case 'tell-leaving': {
        for (const client of effect.clients) say(client, { type: 'leaving', secondsLeft: effect.secondsLeft, reason: effect.reason })
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
    const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(DIAL_MS)])
    return mesh.link(peerIdFromBytes(client), { signal, addresses })
  }

  const keyOf = ({ lease, task, attempt }: { readonly lease: LeaseId; readonly task: TaskId; readonly attempt: number }): string =>
    `${lease}/${task}/${attempt}`

  async function admit(link: Link, head: TaskHead, body: TransferBody): Promise<void> {
    const lease = toHex(head.lease) as LeaseId
    const named = { lease, task: toHex(head.task) as TaskId, attempt: head.attempt }
    const key = keyOf(named)
    const refuse = (code: MotorpoolError['code'], message: string, retryable: boolean): void =>
      fail({ type: 'fail', client: link.remote, ...named, code, message, retryable })
    if (work.leases.get(lease)?.client !== link.remote || work.phase !== 'parked' || reading.has(key) || admissions.has(key)) {
      body.discard()
      if (reading.has(key) || admissions.has(key)) return
      return work.phase === 'parked'
        ? refuse('ERR_EXPIRED', 'no such lease is open here; ask for a new one', true)
        : refuse('ERR_LEAVING', 'the vehicle departs; another car will do it', true)
    }
    const stop = new AbortController()
    const arrivedMs = clock.monotonicMs()
    reading.set(key, stop)
    try {
      const value = await readTask(head, body, AbortSignal.any([stop.signal, ended.signal]))
      if (stop.signal.aborted) return
      const admittedMs = clock.monotonicMs()
      const readUs = Math.round((admittedMs - arrivedMs) * 1000)
      admissions.set(key, { readUs, link, head, value, admittedMs, stop, startedMs: admittedMs, result: undefined })
      step({ type: 'task', client: link.remote, ...named, deadlineMs: admittedMs + head.deadlineMs })
      if (!work.tasks.has(key) && admissions.get(key)?.result === undefined) admissions.delete(key)
    } catch (error) {
      if (!stop.signal.aborted && !link.closed) refuse(...blameOf(error))
    } finally {
      reading.delete(key)
    }
  }

  async function run(task: AdmittedTask): Promise<void> {
    const key = keyOf(task)
    const admission = admissions.get(key)
    const model = models.get(task.model)
    if (admission === undefined || model === undefined) return
    const limitMs = Math.max(1, task.deadlineMs - clock.monotonicMs())
    admission.startedMs = clock.monotonicMs()
    try {
      const result = await model.runner.run({ input: admission.value, limitMs }, { signal: admission.stop.signal })
      admission.result = result
      step({ type: 'ran', lease: task.lease, task: task.task, attempt: task.attempt, ranUs: Math.round(result.ranUs / result.together) })
    } catch (error) {
      const [code, message, retryable] = blameOf(error)
      step({ type: 'run-failed', lease: task.lease, task: task.task, attempt: task.attempt, code, message, retryable })
    }
    admissions.delete(key)
  }

  async function reply(effect: Extract<CarEffect, { type: 'reply' }>): Promise<void> {
    const admission = admissions.get(keyOf(effect))
    const lease = leases.get(effect.lease)
    const cid = work.leases.get(effect.lease)?.model
    const model = cid === undefined ? undefined : models.get(cid)
    if (admission?.result === undefined || lease === undefined || cid === undefined || model === undefined) return
    const { link, head, result, admittedMs, startedMs } = admission
    const account = desk.accountFor(link)
    if (account === undefined) return
    try {
      const provingMs = clock.monotonicMs()
      const queuedUs = Math.round((startedMs - admittedMs) * 1000) + result.queuedUs
      await sendResult(
        link,
        result,
        {
          head,
          model: cid,
          lease: effect.lease,
          client: lease.client,
          account,
          numerics: model.runner.numerics,
          price: lease.price,
          queuedUs,
          unixMs: clock.unixMs()
        },
        journal,
        ended.signal
      )
      counts.done++
      onEvent({
        type: 'done',
        client: link.remote,
        ranUs: result.ranUs,
        readUs: admission.readUs,
        proveUs: Math.round((clock.monotonicMs() - provingMs) * 1000)
      })
    } catch (error) {
      if (link.closed || ended.signal.aborted) return
      const [code, message] = blameOf(error)
      fail({ type: 'fail', client: link.remote, lease: effect.lease, task: effect.task, attempt: effect.attempt, code, message, retryable: true })
    }
  }

  function abort(named: Extract<CarEffect, { type: 'abort' }>): void {
    const key = keyOf(named)
    admissions.get(key)?.stop.abort(new MotorpoolError('ERR_ABORTED', 'the client no longer waits for this task'))
    admissions.delete(key)
  }

  function fail(effect: Extract<CarEffect, { type: 'fail' }>): void {
    if (effect.code === 'ERR_LEAVING') {
      counts.handedBack++
      onEvent({ type: 'handed-back', client: effect.client })
    } else {
      counts.failed++
      onEvent({ type: 'failed', client: effect.client, reason: effect.message })
    }
    admissions.delete(keyOf(effect))
    say(effect.client, {
      type: 'failed',
      lease: fromHex(effect.lease),
      task: fromHex(effect.task),
      attempt: effect.attempt,
      code: effect.code,
      message: effect.message.slice(0, 1024),
      retryable: effect.retryable
    })
  }

  async function finish(): Promise<void> {
    clearTimeout(timer)
    clearInterval(renewal)
    for (const admission of admissions.values()) admission.stop.abort(new MotorpoolError('ERR_LEAVING', 'the vehicle departed'))
    await Promise.all([...models.values()].map(model => model.runner.stop()))
    await Promise.all([
      mesh.putCapacity(capacity(true), { signal: AbortSignal.timeout(FAREWELL_MS) }).catch(() => undefined),
      ...[...members.values()].map(member => member.leave())
    ])
    ended.abort()
    gone.resolve()
  }

  const handlers: LinkHandlers = {
    onMessage: (link, message) => {
      switch (message.type) {
        case 'award': {
          const award = desk.readAward(link, message.award)
          if ('refusal' in award) return carryOut({ type: 'refuse', client: link.remote, lease: award.lease, code: award.refusal, retryAfterMs: 0 })
          const { account: client } = link.hello
          if (client !== undefined) leases.set(award.lease, { client, price: award.price })
          step({ type: 'awarded', lease: award.lease, client: link.remote, model: award.model, slots: award.slots })
          if (!work.leases.has(award.lease)) leases.delete(award.lease)
          return
        }
        case 'cancel': {
          const named = { lease: toHex(message.lease) as LeaseId, task: toHex(message.task) as TaskId, attempt: message.attempt }
          if (work.leases.get(named.lease)?.client === link.remote) reading.get(keyOf(named))?.abort()
          return step({ type: 'cancelled', client: link.remote, ...named })
        }
        case 'release': {
          const lease = toHex(message.lease) as LeaseId
          step({ type: 'released', lease, client: link.remote })
          if (!work.leases.has(lease)) leases.delete(lease)
        }
      }
    },
    onTransfer: (link, head, body) => {
      if (head.type === 'task') void admit(link, head, body)
      else body.discard()
    },
    onClose: link => {
      step({ type: 'client-lost', client: link.remote })
      for (const lease of leases.keys()) if (!work.leases.has(lease)) leases.delete(lease)
    }
  }

  return {
    handlers,
    shards: () => [...members].map(([cid, member]) => [cidToBytes(cid), '', member.cars()]),
    status: () => ({
      state: work.phase,
      slots: init.slots,
      running: [...work.tasks.values()].filter(task => task.startedMs !== null).length,
      queued: [...work.tasks.values()].filter(task => task.startedMs === null).length,
      ...counts,
      models: [...models.values()].map(({ cid, name, runner }) => ({ cid, name, medianRunUs: work.models.get(cid) ?? null, workerPid: runner.pid ?? null }))
    }),
    depart: async ({ reason, secondsLeft }) => {
      step({ type: 'departing', reason, secondsLeft })
      await gone.promise
      onEvent({ type: 'left', reason })
    }
  }
}

/** How a failure is told to the client. */
function blameOf(error: unknown): [MotorpoolError['code'], string, boolean] {
  if (isMotorpoolError(error)) return [error.code, error.message, error.retryable]
  return ['ERR_RUN_FAILED', `the car failed: ${error instanceof Error ? error.message : String(error)}; another car may do it`, true]
}
