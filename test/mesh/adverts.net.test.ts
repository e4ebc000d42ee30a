import { randomBytes } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import type { MeshLimits } from '../../src/mesh/mesh-limits.ts'
import type { Capacity } from '../../src/protocol/announcement.ts'
import { sealEnvelope } from '../../src/protocol/envelope.ts'
import { type PeerId, peerIdToBytes } from '../../src/protocol/ids.ts'
import { signerFromSeed } from '../../src/protocol/signer.ts'
import { startPeer, stopAll, type TestPeer, until } from './peers.ts'

const peers: TestPeer[] = []
afterEach(() => stopAll(peers.splice(0)))

/** Servers that joined through the first, and clients behind them. */
async function startMesh(servers: number, clients: number, limits: Partial<MeshLimits> = {}): Promise<TestPeer[]> {
  const first = await startPeer({ limits })
  const join = first.addresses()
  const rest = await Promise.all(
    Array.from({ length: servers + clients - 1 }, (_, index) => startPeer({ join, limits, dht: index < servers - 1 ? 'server' : 'client' }))
  )
  peers.push(first, ...rest)
  await until(() => rest.every(peer => peer.connections().length > 0), 'all have joined')
  return [first, ...rest]
}

async function found(peer: TestPeer, key: string): Promise<Map<PeerId, readonly string[]>> {
  const all = new Map<PeerId, readonly string[]>()
  for await (const provider of peer.findProviders(key, { signal: AbortSignal.timeout(60_000) })) {
    expect(all.has(provider.peer)).toBe(false)
    all.set(provider.peer, provider.addresses)
  }
  return all
}

const nowSeconds = () => Math.floor(Date.now() / 1000)
function capacity(peer: TestPeer, change: Partial<Capacity> = {}): Capacity {
  const issued = nowSeconds()
  return {
    v: 1,
    peer: peerIdToBytes(peer.peerId),
    hardware: 'cpu-2',
    accelerator: 'none',
    slots: 1,
    models: [],
    away: false,
    issued,
    expires: issued + 1800,
    ...change
  }
}

test('providers, servers and clients alike, are found with addresses that can be dialled', async () => {
  const mesh = await startMesh(5, 3)
  const [asker, ...providers] = [mesh[7] as TestPeer, mesh[1] as TestPeer, mesh[3] as TestPeer, mesh[6] as TestPeer]
  await Promise.all(providers.map(peer => peer.provide('shard')))
  await until(async () => (await found(asker, 'shard')).size === 3, 'all three are found')
  for (const [peer, addresses] of await found(asker, 'shard')) {
    expect(addresses.every(address => address.endsWith(`/p2p/${peer}`))).toBe(true)
    const link = await asker.link(peer, { addresses })
    expect(link.remote).toBe(peer)
  }
  expect((await found(asker, 'another shard')).size).toBe(0)
})

test('a provider comes out as soon as it is found', async () => {
  const mesh = await startMesh(4, 0)
  await mesh[1]?.provide('shard')
  let first: PeerId | undefined
  for await (const provider of (mesh[3] as TestPeer).findProviders('shard')) {
    first = provider.peer
    break
  }
  expect(first).toBe(mesh[1]?.peerId)
})

test('who provides before it knows anybody is found once it has joined', async () => {
  const lonely = await startPeer()
  peers.push(lonely)
  await lonely.provide('shard')
  await lonely.putCapacity(sealEnvelope(lonely.signer, 'capacity', capacity(lonely)))
  const mesh = await startMesh(3, 0)
  await lonely.connect(mesh[0]?.addresses()[0] ?? '')
  await until(async () => (await found(mesh[2] as TestPeer, 'shard')).has(lonely.peerId), 'it is found')
  await until(async () => (await mesh[2]?.getCapacity(lonely.peerId)) !== undefined, 'its capacity is found')
})

test('provider records are renewed until unprovide, then they end', async () => {
  const limits = { providerValidityMs: 2000, providerRenewalMs: 1500, providerCheckMs: 200 }
  const mesh = await startMesh(4, 0, limits)
  const [, provider, , asker] = mesh as [TestPeer, TestPeer, TestPeer, TestPeer]
  await provider.provide('shard')
  await until(async () => (await found(asker, 'shard')).has(provider.peerId), 'it is found')
  const later = performance.now() + 3 * limits.providerValidityMs
  await until(() => performance.now() > later, 'its first record would have ended long ago')
  expect((await found(asker, 'shard')).has(provider.peerId)).toBe(true)
  await provider.unprovide('shard')
  await until(async () => !(await found(asker, 'shard')).has(provider.peerId), 'it is found no longer')
})

test('a capacity record is found, and a newer one takes its place', async () => {
  const mesh = await startMesh(6, 2)
  const [car, asker] = [mesh[6] as TestPeer, mesh[7] as TestPeer]
  expect(await asker.getCapacity(car.peerId)).toBeUndefined()
  const first = sealEnvelope(car.signer, 'capacity', capacity(car))
  await car.putCapacity(first)
  expect(Buffer.compare((await asker.getCapacity(car.peerId)) as Uint8Array, first)).toBe(0)
  const away = sealEnvelope(car.signer, 'capacity', capacity(car, { issued: nowSeconds() + 1, away: true, slots: 2 }))
  await car.putCapacity(away)
  await until(async () => Buffer.compare((await asker.getCapacity(car.peerId)) ?? new Uint8Array(), away) === 0, 'the newer is found')
})

test('capacity records that are forged, expired or of another object are neither kept nor found', async () => {
  const mesh = await startMesh(4, 0)
  const [car, asker] = [mesh[1] as TestPeer, mesh[3] as TestPeer]
  const bad = [
    sealEnvelope(signerFromSeed(randomBytes(32)), 'capacity', capacity(car)),
    sealEnvelope(car.signer, 'offer', capacity(car)),
    sealEnvelope(car.signer, 'capacity', capacity(car, { issued: nowSeconds() - 4000, expires: nowSeconds() - 1000 })),
    sealEnvelope(car.signer, 'capacity', capacity(car, { issued: nowSeconds() + 4000, expires: nowSeconds() + 9000 })),
    sealEnvelope(car.signer, 'capacity', capacity(car)).fill(0, 100, 110),
    new Uint8Array(5000)
  ]
  for (const record of bad) {
    await car.putCapacity(record, { signal: AbortSignal.timeout(500) }).catch(() => {})
    expect(await asker.getCapacity(car.peerId)).toBeUndefined()
  }
})

test('lookups end with the signal of their caller', async () => {
  const lonely = await startPeer({ join: [] })
  peers.push(lonely)
  const options = () => ({ signal: AbortSignal.timeout(100) })
  await expect(lonely.getCapacity(lonely.peerId, options())).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  await expect(lonely.findProviders('shard', options())[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'ERR_ABORTED' })
})
