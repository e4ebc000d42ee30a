import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createMesh } from '../../src/mesh/create-mesh.ts'
import type { Link, Mesh } from '../../src/mesh/mesh.ts'
import type { Peer } from '../../src/peer.ts'
import { createAnnouncementGate } from '../../src/placement/announcement-gate.ts'
import { shardTopic } from '../../src/placement/shards.ts'
import type { ControlMessage } from '../../src/protocol/control.ts'
import { saltedDigest, valueDigest } from '../../src/protocol/digest.ts'
import { openBinding, openCapacity, openOffer, sealEnvelope } from '../../src/protocol/envelope.ts'
import { cidToBytes, type ModelCid, peerIdToBytes, sha256 } from '../../src/protocol/ids.ts'
import { signerFromSeed } from '../../src/protocol/signer.ts'
import type { TaskHead, TransferHead } from '../../src/protocol/transfer.ts'
import { noopModel } from '../fixtures/models/make.ts'
import { type LocalMesh, openLocalMesh } from '../local-mesh.ts'

/** A client that follows the wire but no rule: it sends what a test tells it. */
interface Rogue {
  readonly mesh: Mesh
  readonly link: Link
  readonly inbox: ControlMessage[]
  readonly results: TransferHead[]
  next: <Type extends ControlMessage['type']>(type: Type, patienceMs?: number) => Promise<Extract<ControlMessage, { type: Type }> | undefined>
}

const account = signerFromSeed(randomBytes(32))
const nowSeconds = (): number => Math.floor(Date.now() / 1000)
let local: LocalMesh
let car: Peer
let model: ModelCid
let rogue: Rogue
/** What the car has learnt of its stay; tests set it. */
let stayOdds: (lengthS: number) => number | null

beforeEach(async () => {
  local = openLocalMesh()
  model = await local.addModel('noop', noopModel())
  stayOdds = () => null
  car = await local.addCar({ stayOdds: lengthS => stayOdds(lengthS) })
  rogue = await openRogue()
})
afterEach(async () => {
  await rogue.mesh.stop()
  await local.close()
})

async function openRogue(): Promise<Rogue> {
  const inbox: ControlMessage[] = []
  const results: TransferHead[] = []
  const wake: (() => void)[] = []
  const mesh = await createMesh({
    seed: randomBytes(32),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    join: car.addresses(),
    mdns: false,
    dht: 'server',
    hello: () => ({ type: 'hello', v: 1, agent: 'rogue', account: account.publicKey, nonce: randomBytes(32) }),
    handlers: {
      onMessage: (_link, message) => {
        inbox.push(message)
        for (const act of wake.splice(0)) act()
      },
      onTransfer: (_link, head, body) => {
        results.push(head)
        body.discard()
        for (const act of wake.splice(0)) act()
      },
      onClose: () => undefined
    },
    validate: createAnnouncementGate(Date.now)
  })
  const link = await mesh.link(car.peerId, { addresses: car.addresses() })
  return {
    mesh,
    link,
    inbox,
    results,
    next: async (type, patienceMs = 3000) => {
      const until = performance.now() + patienceMs
      while (performance.now() < until) {
        const at = inbox.findIndex(message => message.type === type)
        if (at >= 0) return inbox.splice(at, 1)[0] as Extract<ControlMessage, { type: typeof type }>
        await Promise.race([new Promise<void>(resolve => wake.push(resolve)), new Promise(resolve => setTimeout(resolve, until - performance.now()))])
      }
      return undefined
    }
  }
}

function announcement(changes: Record<string, unknown> = {}): Uint8Array {
  return sealEnvelope(rogue.mesh.signer, 'announcement', {
    v: 1,
    task: randomBytes(16),
    model: cidToBytes(model),
    bits: '',
    tasks: 1,
    inputBucket: 0,
    outputBucket: 0,
    lengthBucket: null,
    deadlineSeconds: 60,
    ceiling: 0,
    unit: 'XXX',
    verification: 'blocks',
    round: 0,
    theta: 2 ** 32,
    client: peerIdToBytes(rogue.mesh.peerId),
    addresses: [],
    issued: nowSeconds(),
    expires: nowSeconds() + 30,
    ...changes
  })
}

async function announce(message: Uint8Array): Promise<void> {
  const topic = shardTopic(model, '')
  await rogue.mesh.waitForSubscribers(topic, 1, { signal: AbortSignal.timeout(5000) })
  await rogue.mesh.publish(topic, message)
}

async function getOffer(): Promise<{ readonly digest: Uint8Array; readonly account: Uint8Array; readonly slots: number }> {
  await announce(announcement())
  const offered = await rogue.next('offer')
  if (offered === undefined) throw new Error('no offer came')
  return { digest: sha256(offered.offer), account: openBinding(offered.binding).value.account, slots: openOffer(offered.offer).value.slots }
}

const free = { perTask: 0, perItem: 0, per1kTokensIn: 0, per1kTokensOut: 0, unit: 'XXX' }
const award = (
  offer: { readonly digest: Uint8Array; readonly account: Uint8Array },
  changes: Record<string, unknown> = {},
  signer = account,
  object = 'award'
): Uint8Array =>
  sealEnvelope(signer, object, {
    v: 1,
    client: signer.publicKey,
    car: offer.account,
    offer: offer.digest,
    model: cidToBytes(model),
    slots: 1,
    price: free,
    nonce: randomBytes(16),
    issued: nowSeconds(),
    expires: nowSeconds() + 3600,
    ...changes
  })

async function openLease(): Promise<Uint8Array> {
  const offer = await getOffer()
  rogue.link.send({ type: 'award', award: award(offer) })
  const granted = await rogue.next('granted')
  if (granted === undefined) throw new Error('not granted')
  return granted.lease
}

const input = Buffer.from('what it is')
function task(lease: Uint8Array, changes: Partial<TaskHead> = {}): TaskHead {
  const salt = randomBytes(32)
  const digest = valueDigest({ kind: 'tensors', parameters: {}, tensors: { x: { type: 'uint8', dims: [input.length], data: input } } })
  return {
    type: 'task',
    lease,
    task: randomBytes(16),
    attempt: 1,
    salt,
    input: saltedDigest('input', salt, digest),
    deadlineMs: 5000,
    kind: 'tensors',
    parameters: {},
    tensors: [['x', 'uint8', [input.length], input.length]],
    ...changes
  }
}

/** The car still serves an honest client. */
async function stillWorks(): Promise<void> {
  const client = await local.addClient()
  const result = await client.run('noop', { x: new Uint8Array(input) })
  expect(Buffer.from(result.outputs.y?.data ?? [])).toEqual(input)
}

describe('a car', () => {
  it('runs the task of a client that keeps the rules', async () => {
    const lease = await openLease()
    await rogue.link.transfer(task(lease), [input])
    await expect.poll(() => rogue.results.map(head => head.type), { timeout: 5000 }).toEqual(['result'])
  })

  it('tells its odds of staying in steps and no further ahead than announced, and leaves to others what it may not finish', async () => {
    const asked: number[] = []
    stayOdds = lengthS => {
      asked.push(lengthS)
      return lengthS <= 64 ? 0.9987 : 0.7
    }
    await announce(announcement({ lengthBucket: 6, deadlineSeconds: 3600 }))
    const offered = await rogue.next('offer')
    expect(offered === undefined ? 'no offer' : openOffer(offered.offer).value.stay).toBe(990_000)
    expect(asked).toEqual([64])
    await announce(announcement({ lengthBucket: 12, deadlineSeconds: 3600 }))
    await expect.poll(() => asked, { timeout: 10_000 }).toEqual([64, 3600])
    expect(await rogue.next('offer', 500)).toBeUndefined()
    await announce(announcement())
    expect(openOffer((await rogue.next('offer'))!.offer).value.stay).toBeNull()
  })
  it('does not answer announcements that are forged, expired, replayed in another domain, or too cheap', async () => {
    const other = signerFromSeed(randomBytes(32))
    const forged = sealEnvelope(other, 'announcement', { v: 1 })
    for (const message of [
      forged,
      announcement({ expires: nowSeconds() - 200, issued: nowSeconds() - 300 }),
      announcement({ bits: '1' }),
      announcement({ v: 2 }),
      announcement({ theta: 0 })
    ]) {
      await announce(message)
    }
    expect(await rogue.next('offer', 1000)).toBeUndefined()
    await getOffer()
  })

  it('answers an announcement once', async () => {
    const id = randomBytes(16)
    await announce(announcement({ task: id }))
    expect(await rogue.next('offer')).toBeDefined()
    await announce(announcement({ task: id, round: 1 }))
    expect(await rogue.next('offer', 1000)).toBeUndefined()
  })

  it('refuses awards that are replayed, expired, for another car or changed in their terms', async () => {
    const offer = await getOffer()
    const wrong: [string, Uint8Array][] = [
      ['ERR_REPLAYED', award(offer, { offer: randomBytes(32) })],
      ['ERR_EXPIRED', award(offer, { expires: nowSeconds() - 1000 })],
      ['ERR_SCHEMA', award(offer, { price: { ...free, perTask: 5 } })],
      ['ERR_SCHEMA', award(offer, { slots: 64 })],
      ['ERR_BAD_SIGNATURE', award(offer, { car: randomBytes(32) })],
      ['ERR_BAD_SIGNATURE', award(offer, {}, signerFromSeed(randomBytes(32)))]
    ]
    for (const [code, envelope] of wrong) {
      rogue.link.send({ type: 'award', award: envelope })
      expect(await rogue.next('busy'), code).toMatchObject({ code, lease: sha256(envelope) })
    }
    const good = award(offer)
    rogue.link.send({ type: 'award', award: good })
    expect(await rogue.next('granted')).toMatchObject({ lease: sha256(good) })
    rogue.link.send({ type: 'award', award: good })
    expect(await rogue.next('busy')).toMatchObject({ code: 'ERR_REPLAYED' })
  })

  it('closes the link on an award of a foreign domain or with a broken signature, and works on', async () => {
    const offer = await getOffer()
    rogue.link.send({ type: 'award', award: award(offer, {}, account, 'offer') })
    await expect.poll(() => rogue.link.closed, { timeout: 5000 }).toBe(true)
    await stillWorks()
  })

  it('runs nothing without a lease, nor another input than the digest tells', async () => {
    const lease = await openLease()
    await rogue.link.transfer(task(randomBytes(32)), [input])
    expect(await rogue.next('failed')).toMatchObject({ code: 'ERR_EXPIRED', retryable: true })
    await rogue.link.transfer(task(lease, { input: randomBytes(32) }), [input])
    expect(await rogue.next('failed')).toMatchObject({ code: 'ERR_INPUT_DIGEST' })
    await rogue.link.transfer(task(lease, { tensors: [['x', 'uint8', [5], 5]] }), [input])
    expect(await rogue.next('failed')).toMatchObject({ code: 'ERR_BAD_ENCODING' })
    expect(rogue.results).toEqual([])
    await stillWorks()
  })

  it('signs one result for one attempt, however often it is asked', async () => {
    const lease = await openLease()
    const once = task(lease)
    await rogue.link.transfer(once, [input])
    await expect.poll(() => rogue.results.length, { timeout: 5000 }).toBe(1)
    const salt = randomBytes(32)
    const other = valueDigest({ kind: 'tensors', parameters: {}, tensors: { x: { type: 'uint8', dims: [1], data: Uint8Array.of(7) } } })
    await rogue.link.transfer({ ...once, salt, input: saltedDigest('input', salt, other), tensors: [['x', 'uint8', [1], 1]] }, [Uint8Array.of(7)])
    expect(await rogue.next('failed')).toMatchObject({ code: 'ERR_ATTEMPT_USED' })
    expect(rogue.results).toHaveLength(1)
  })

  it('tells its account to nobody but the client at the other end, and another one to each', async () => {
    const mine = await getOffer()
    const client = await local.addClient()
    const result = await client.run('noop', { x: new Uint8Array(input) })
    expect(Buffer.from(mine.account).toString('hex')).not.toBe(result.carAccount)
    expect(Object.keys(rogue.link.hello).sort()).toEqual(['account', 'agent', 'capacity', 'nonce', 'shards', 'type', 'v'])
    const { value: capacity } = openCapacity(rogue.link.hello.capacity ?? new Uint8Array(0))
    expect(capacity).toMatchObject({ peer: peerIdToBytes(car.peerId), slots: 1, away: false, models: [cidToBytes(model)] })
    expect(rogue.link.hello.account).not.toEqual(mine.account)
  })
})
