import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ClientEvent } from '../../src/client/client.ts'
import { sealBinding } from '../../src/ledger/binding.ts'
import { signFlush } from '../../src/ledger/flush.ts'
import type { Leaf } from '../../src/ledger/leaf.ts'
import { createMesh } from '../../src/mesh/create-mesh.ts'
import type { Link, Mesh } from '../../src/mesh/mesh.ts'
import type { Peer } from '../../src/peer.ts'
import { shardTopic } from '../../src/placement/shards.ts'
import type { Offer } from '../../src/protocol/control.ts'
import { saltedDigest, valueDigest } from '../../src/protocol/digest.ts'
import { looksLikeBeacon, openAnnouncement, openAward, sealEnvelope } from '../../src/protocol/envelope.ts'
import { cidToBytes, type ModelCid, peerIdToBytes, sha256 } from '../../src/protocol/ids.ts'
import { type Signer, signerFromSeed } from '../../src/protocol/signer.ts'
import type { ResultHead, TaskHead } from '../../src/protocol/transfer.ts'
import { noopModel } from '../fixtures/models/make.ts'
import { type LocalMesh, openLocalMesh } from '../local-mesh.ts'

type Proof = NonNullable<ResultHead['proof']>
/** What a rogue car does with a task; by default it answers as it should. */
interface Conduct {
  readonly output?: Uint8Array
  readonly leaf?: Partial<Leaf>
  readonly signer?: Signer
  readonly proof?: (proof: Proof) => Proof | undefined
  readonly head?: Partial<ResultHead>
  readonly silent?: boolean
  readonly vanish?: boolean
  readonly twice?: boolean
}

const account = signerFromSeed(randomBytes(32))
const nowSeconds = (): number => Math.floor(Date.now() / 1000)
const input = new Uint8Array(Buffer.from('echo me'))
let local: LocalMesh
let model: ModelCid
let client: Peer
let rogue: Mesh
let conduct: Conduct
let tasks: TaskHead[]
let offerChanges: Partial<Offer>

beforeEach(async () => {
  local = openLocalMesh()
  model = await local.addModel('noop', noopModel())
  conduct = {}
  tasks = []
  offerChanges = {}
  client = await local.addClient()
  rogue = await openRogueCar(client.addresses())
})
afterEach(async () => {
  await rogue.stop()
  await local.close()
})

async function openRogueCar(join: readonly string[]): Promise<Mesh> {
  const mesh: Mesh = await createMesh({
    seed: randomBytes(32),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    join,
    mdns: false,
    dht: 'server',
    hello: () => ({ type: 'hello', v: 1, agent: 'rogue', shards: [[cidToBytes(model), '', 1]] }),
    handlers: {
      onMessage: (link, message) => {
        if (message.type === 'award') link.send({ type: 'granted', lease: sha256(message.award), slots: openAward(message.award).value.slots })
      },
      onTransfer: (link, head, body) => {
        if (head.type !== 'task') return body.discard()
        tasks.push(head)
        void body.all().then(() => answer(link, head))
      },
      onClose: () => undefined
    },
    validate: () => 'accept'
  })
  mesh.subscribe(shardTopic(model, ''), message => void offer(mesh, message))
  await mesh.provide(shardTopic(model, ''), { signal: AbortSignal.timeout(5000) }).catch(() => undefined)
  return mesh
}

async function offer(mesh: Mesh, message: Uint8Array): Promise<void> {
  if (looksLikeBeacon(message)) return
  const { value: announcement } = openAnnouncement(message)
  const link = mesh.links()[0] ?? (await mesh.link(client.peerId, { addresses: client.addresses() }))
  const { account: owner, nonce } = link.hello
  if (owner === undefined || nonce === undefined) return
  const terms: Offer = {
    v: 1,
    task: announcement.task,
    round: announcement.round,
    model: announcement.model,
    car: peerIdToBytes(mesh.peerId),
    client: announcement.client,
    slots: 2,
    parallel: 1,
    queued: 0,
    completionUs: 1,
    runUs: 1,
    price: { perTask: 0, perItem: 0, per1kTokensIn: 0, per1kTokensOut: 0, unit: 'XXX' },
    stay: null,
    energyMj: null,
    issued: nowSeconds(),
    expires: nowSeconds() + 30,
    ...offerChanges
  }
  link.send({
    type: 'offer',
    offer: sealEnvelope(mesh.signer, 'offer', terms),
    binding: sealBinding(account, { peer: peerIdToBytes(mesh.peerId), client: owner, nonce, expires: nowSeconds() + 3600 })
  })
}

async function answer(link: Link, head: TaskHead): Promise<void> {
  if (conduct.vanish === true) return link.close()
  if (conduct.silent === true) return
  const output = conduct.output ?? input
  const digest = valueDigest({ kind: 'tensors', parameters: {}, tensors: { y: { type: 'uint8', dims: [input.length], data: input } } })
  const leaf: Leaf = {
    seq: 0,
    task: head.task,
    attempt: head.attempt,
    part: 0,
    input: head.input,
    output: saltedDigest('output', head.salt, digest),
    tokens: null,
    together: 1,
    units: { items: 1, tokensIn: 0, tokensOut: 0 },
    times: { at: 0, queuedUs: 0, ranUs: 0 },
    energy: { marginalMj: 0, attributedMj: 0, by: 'unknown' },
    price: { amount: 0, unit: 'XXX' },
    ...conduct.leaf
  }
  const numerics = { ep: 'cpu', ort: '1', arch: 'x64', isa: 'avx2', opt: 'all', device: 'cpu', threads: 1 }
  const signed = signFlush(
    conduct.signer ?? account,
    { client: link.hello.account ?? new Uint8Array(32), lease: head.lease, model: cidToBytes(model), class: numerics },
    [leaf]
  )
  const proof: Proof = { flush: signed.flush, leaf: signed.leaves[0] ?? new Uint8Array(0), index: 0, path: [] }
  const result: ResultHead = {
    type: 'result',
    lease: head.lease,
    task: head.task,
    attempt: head.attempt,
    part: 0,
    kind: 'tensors',
    parameters: {},
    tensors: [['y', 'uint8', [output.length], output.length]],
    proof: conduct.proof === undefined ? proof : conduct.proof(proof),
    ...conduct.head
  }
  if (result.proof === undefined) delete result.proof
  for (let times = conduct.twice === true ? 2 : 1; times > 0; times--) await link.transfer(result, [output])
}

const run = (deadlineMs = 10_000) => client.run('noop', { x: input }, { deadlineMs })
const other = signerFromSeed(randomBytes(32))

describe('a client', () => {
  it('takes the result of a car that keeps the rules', async () => {
    const result = await run()
    expect(result.car).toBe(rogue.peerId)
    expect(Buffer.from(result.outputs.y?.data ?? [])).toEqual(Buffer.from(input))
  })

  const lies: [string, Conduct][] = [
    ['another output than it signed', { output: new Uint8Array(input.length) }],
    ['no receipt', { proof: () => undefined }],
    ['a receipt of another account', { signer: other }],
    ['a receipt for another task', { leaf: { task: new Uint8Array(16) } }],
    ['a receipt for another attempt', { leaf: { attempt: 9 } }],
    ['a receipt for another input', { leaf: { input: new Uint8Array(32) } }],
    ['a higher price than agreed', { leaf: { price: { amount: 1, unit: 'XXX' } } }],
    ['a proof that does not fit', { proof: proof => ({ ...proof, index: 1 }) }],
    ['tensors that do not fit their payload', { head: { tensors: [['y', 'uint8', [3], 3]] } }]
  ]
  for (const [what, how] of lies) {
    it(`delivers nothing of a car that sends ${what}, and gets the result elsewhere`, async () => {
      conduct = how
      const running = run(50_000)
      await expect.poll(() => tasks.length, { timeout: 10_000 }).toBeGreaterThan(0)
      const honest = await local.addCar()
      const result = await running
      expect(result.car).toBe(honest.peerId)
      expect(result.attempt).toBeGreaterThan(1)
      expect(Buffer.from(result.outputs.y?.data ?? [])).toEqual(Buffer.from(input))
    })
  }

  it('hands out what is asked for unsigned at once, and tells when its receipt turns out wrong', async () => {
    const runUnsigned = () => client.run('noop', { x: input }, { deadlineMs: 10_000, unsigned: true })
    const sound = await runUnsigned()
    expect(sound.signed).toBe(false)
    expect((await sound.receipted).length).toBeGreaterThan(0)
    conduct = { leaf: { input: new Uint8Array(32) } }
    const unsound = await runUnsigned()
    expect(Buffer.from(unsound.outputs.y?.data ?? [])).toEqual(Buffer.from(input))
    await expect(unsound.receipted).rejects.toMatchObject({ code: 'ERR_BAD_RESULT' })
    conduct = {}
    await expect(run(1500)).rejects.toThrow()
    expect(tasks, 'the car is not asked again').toHaveLength(2)
  })

  it('delivers once what a car sends twice', async () => {
    conduct = { twice: true }
    const outcomes: string[] = []
    const events: ClientEvent[] = []
    for await (const outcome of client.submit({
      model: 'noop',
      tasks: Array.from({ length: 5 }, (_, index) => ({ key: String(index), inputs: { x: input } })),
      onEvent: event => events.push(event)
    })) {
      outcomes.push(`${outcome.key} ${outcome.status}`)
    }
    expect(outcomes.sort()).toEqual([0, 1, 2, 3, 4].map(index => `${index} done`))
    await expect.poll(() => client.status().client.droppedLate, { timeout: 5000 }).toBe(5)
  })

  it('moves the task when the car hangs up', async () => {
    conduct = { vanish: true }
    const running = run(20_000)
    await expect.poll(() => tasks.length, { timeout: 5000 }).toBeGreaterThan(0)
    const honest = await local.addCar()
    expect((await running).car).toBe(honest.peerId)
  })

  it('drops the late result of an attempt that it gave up', async () => {
    conduct = { silent: true }
    const abort = new AbortController()
    const given = client.run('noop', { x: input }, { signal: abort.signal }).catch(error => error.code)
    await expect.poll(() => tasks.length, { timeout: 5000 }).toBe(1)
    abort.abort()
    expect(await given).toBe('ERR_ABORTED')
    conduct = {}
    const [late] = tasks
    const [link] = rogue.links()
    if (late === undefined || link === undefined) throw new Error('no task came')
    await answer(link, late)
    await expect.poll(() => client.status().client.droppedLate, { timeout: 5000 }).toBe(1)
  })

  it('passes over offers that are out of turn, expired or too dear', async () => {
    for (const changes of [
      { round: 31 },
      { expires: nowSeconds() - 1000 },
      { price: { perTask: 1, perItem: 0, per1kTokensIn: 0, per1kTokensOut: 0, unit: 'EUR' } }
    ]) {
      offerChanges = changes
      await expect(run(1200), JSON.stringify(changes)).rejects.toMatchObject({ code: 'ERR_NO_CAR' })
    }
    expect(tasks).toEqual([])
  })
})
