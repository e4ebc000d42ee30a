import type { Mesh } from '../mesh/mesh.ts'
import { sizeBucket } from '../placement/shards.ts'
import { lengthBucket } from '../placement/stays/stay-odds.ts'
import { answersRound } from '../placement/suppression.ts'
import type { Announcement } from '../protocol/announcement.ts'
import { sealEnvelope } from '../protocol/envelope.ts'
import { anySignal } from '../protocol/errors.ts'
import { cidToBytes, type PeerId, peerIdToBytes, toHex } from '../protocol/ids.ts'
import type { Clock } from '../protocol/signer.ts'
import type { ClientEvent } from './client.ts'
import { type createMemory, type HeardOffer, quietly } from './contacts.ts'
import type { FoundShard } from './discover-shard.ts'
import { type AskedModel, describeModel } from './find-model.ts'
import { createShardFinder } from './shard-finder.ts'
import type { ClientEffect, ClientStepEvent } from './steps/client-state.ts'

export interface AskBoardInit {
  readonly mesh: Mesh
  readonly model: AskedModel
  readonly clock: Clock
  readonly randomBytes: (length: number) => Uint8Array
  readonly memory: ReturnType<typeof createMemory>
  readonly ceiling: number
  readonly unit: string
  readonly signal: AbortSignal
  /** The task that waits longest, as far as an announcement tells of it. */
  readonly oldestTask: () => { readonly inputBytes: number; readonly deadlineMs: number } | undefined
  /** Usual run time of this model's tasks, microseconds; null before the first result. */
  readonly usualRunUs: () => number | null
  readonly step: (event: ClientStepEvent) => void
  readonly tell: (event: ClientEvent) => void
}

/** A client's announcements of one model, and the offers that they brought. */
export interface AskBoard {
  discover: (ask: number) => Promise<void>
  announce: (effect: Extract<ClientEffect, { type: 'announce' }>) => Promise<void>
  /** Steps when a car hears the topic that didn't at the last round; until the next announcement is begun. */
  watch: (ask: number) => void
  decline: (ask: number, cars: readonly PeerId[]) => void
  /** The offer of a car to an announcement. */
  offerOf: (ask: number, car: PeerId) => HeardOffer | undefined
  /** Whether the announcement of this id (hex) is ours. */
  asked: (id: string) => boolean
  /** Takes an offer whose signatures were checked; one that is out of turn, or of a car that lied before, is passed over. */
  offered: (heard: HeardOffer) => void
}

interface Ask {
  readonly id: Uint8Array
  readonly offers: Map<PeerId, HeardOffer>
  readonly thetas: number[]
  readonly shard: FoundShard
  /** θ of the rounds that reached somebody. */
  readonly reached: number[]
  /** Who heard the topic at the last round. */
  hearers: ReadonlySet<PeerId>
}

/** Announcements are of use to a car for as long as a round may last, seconds. */
const ANNOUNCEMENT_SECONDS = 30
const DISCOVERY_MS = 10_000
/** Offers to an announcement older than this many are of no interest. */
const ASKS_KEPT = 8

export function createAskBoard(init: AskBoardInit): AskBoard {
  const { mesh, model, clock, memory, signal, step, tell } = init
  const asks = new Map<string, { readonly number: number; readonly ask: Ask }>()
  const askIds = new Map<number, string>()
  let watching = new AbortController()
  const finder = createShardFinder({ mesh, model: model.cid, nowMs: clock.monotonicMs, stopped: signal })

  async function discover(ask: number): Promise<void> {
    watching.abort()
    const last = askOf(ask - 1)
    if (last !== undefined) finder.note({ shard: last.shard, thetas: last.reached, offers: last.offers.size })
    const found = await finder.find(anySignal(signal, AbortSignal.timeout(DISCOVERY_MS)))
    if (signal.aborted) return
    if (found === undefined) {
      return step({
        type: 'undiscovered',
        ask,
        trouble: `no peer is known that runs ${describeModel(model)} among ${mesh.connections().length} connected peers and on the DHT`
      })
    }
    const id = init.randomBytes(16)
    asks.set(toHex(id), { number: ask, ask: { id, offers: new Map(), thetas: [], reached: [], shard: found.shard, hearers: new Set() } })
    askIds.set(ask, toHex(id))
    forgetAsk(ask - ASKS_KEPT)
    step({ type: 'discovered', ask, idleCars: found.idleCars })
  }

  function forgetAsk(number: number): void {
    asks.delete(askIds.get(number) ?? '')
    askIds.delete(number)
  }

  function askOf(number: number): Ask | undefined {
    return asks.get(askIds.get(number) ?? '')?.ask
  }

  async function announce(effect: Extract<ClientEffect, { type: 'announce' }>): Promise<void> {
    const ask = askOf(effect.ask)
    if (ask === undefined) return
    ask.thetas[effect.round] = effect.theta
    ask.hearers = new Set(mesh.subscribers(ask.shard.topic))
    const recipients = await mesh.publish(ask.shard.topic, writeAnnouncement(ask, effect)).catch(() => 0)
    if (recipients > 0) ask.reached.push(effect.theta)
    if (signal.aborted) return
    step({ type: 'announced', ask: effect.ask, round: effect.round, recipients })
    tell({ type: 'announced', round: effect.round, recipients })
  }

  async function watch(number: number): Promise<void> {
    const ask = askOf(number)
    if (ask === undefined) return
    watching = new AbortController()
    const stopped = anySignal(signal, watching.signal)
    await mesh.waitForSubscribers(ask.shard.topic, 1, { besides: ask.hearers, signal: stopped }).catch(() => undefined)
    if (!stopped.aborted) step({ type: 'car-seen', ask: number })
  }

  function writeAnnouncement(ask: Ask, { round, theta, tasks }: Extract<ClientEffect, { type: 'announce' }>): Uint8Array {
    const oldest = init.oldestTask()
    const runUs = init.usualRunUs()
    const nowSeconds = Math.floor(clock.unixMs() / 1000)
    const announcement: Announcement = {
      v: 1,
      bits: ask.shard.bits,
      task: ask.id,
      model: cidToBytes(model.cid),
      tasks: 2 ** Math.ceil(Math.log2(Math.max(1, tasks))),
      inputBucket: sizeBucket(oldest?.inputBytes ?? 0),
      outputBucket: 0,
      lengthBucket: runUs === null ? null : lengthBucket(runUs / 1_000_000),
      deadlineSeconds: Math.max(1, Math.ceil(((oldest?.deadlineMs ?? 0) - clock.monotonicMs()) / 1000)),
      ceiling: init.ceiling,
      unit: init.unit,
      verification: 'blocks',
      round,
      theta,
      client: peerIdToBytes(mesh.peerId),
      addresses: mesh.dialableAddresses(),
      issued: nowSeconds,
      expires: nowSeconds + ANNOUNCEMENT_SECONDS
    }
    return sealEnvelope(mesh.signer, 'announcement', announcement)
  }

  return {
    discover,
    announce,
    watch: number => void watch(number),
    decline: (number, cars) => {
      const ask = askOf(number)
      if (ask === undefined) return
      for (const car of cars) quietly(() => ask.offers.get(car)?.contact.link.send({ type: 'decline', task: ask.id }))
    },
    offerOf: (number, car) => askOf(number)?.offers.get(car),
    asked: id => asks.has(id),
    offered: heard => {
      const asked = asks.get(heard.ask)
      const car = heard.contact.link.remote
      const theta = asked?.ask.thetas[heard.round]
      if (asked === undefined || theta === undefined || heard.model !== model.cid) return
      if (!answersRound(asked.ask.id, heard.round, peerIdToBytes(car), theta) || memory.isBlocked(heard.contact.account)) return
      asked.ask.offers.set(car, heard)
      tell({ type: 'offered', car })
      step({ type: 'offered', ask: asked.number, offer: memory.rank(heard, new DataView(init.randomBytes(4).buffer).getUint32(0) / 2 ** 32) })
    }
  }
}
