import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { noise } from '@libp2p/noise'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, expect, test } from 'vitest'
import { connectionStack } from '../../src/mesh/host/connection-stack.ts'
import { startPeer, stopAll, type TestPeer, until } from './peers.ts'

const peers: TestPeer[] = []
const start = async (...init: Parameters<typeof startPeer>) => {
  const peer = await startPeer(...init)
  peers.push(peer)
  return peer
}
afterEach(() => stopAll(peers.splice(0)))
const port = (peer: TestPeer) => Number(/\/tcp\/(\d+)/.exec(peer.addresses()[0] ?? '')?.[1])

test('twenty peers that joined through one talk on when it is gone', { timeout: 240_000 }, async () => {
  const first = await start()
  const rest = await Promise.all(Array.from({ length: 19 }, () => start({ join: first.addresses() })))
  await until(() => rest.every(peer => peer.connections().length > 1), 'all know somebody else', 120_000)
  const [provider, asker] = [rest[3] as TestPeer, rest[17] as TestPeer]
  await first.stop()
  await provider.provide('shard')
  await until(async () => {
    for await (const found of asker.findProviders('shard')) {
      if (found.peer !== provider.peerId) continue
      const link = await asker.link(found.peer, { addresses: found.addresses })
      return link.remote === provider.peerId
    }
    return false
  }, 'a peer finds and reaches another')
})

test('a dead join peer does not keep a peer out, nor does it matter later', async () => {
  const [dead, alive] = await Promise.all([startPeer(), start()])
  const join = [...dead.addresses(), ...alive.addresses()]
  await dead.stop()
  const peer = await start({ join })
  await until(() => peer.connections().length === 1, 'it has joined through the other')
  expect(peer.connections()[0]?.peer).toBe(alive.peerId)
})

test('a peer that started before its join peer gets in when that comes up', async () => {
  const placeholder = createServer().listen(0, '127.0.0.1')
  await once(placeholder, 'listening')
  const address = placeholder.address()
  const free = typeof address === 'object' ? address?.port : 0
  placeholder.close()
  await once(placeholder, 'close')
  const early = await start({ join: [`/ip4/127.0.0.1/tcp/${free}`] })
  const late = await start({ listen: [`/ip4/127.0.0.1/tcp/${free}`] })
  await until(() => early.connections().some(({ peer }) => peer === late.peerId), 'it got in')
})

test('a peer that lost everybody comes back through whom it met', async () => {
  const seed = new Uint8Array(32).fill(9)
  const first = await start()
  const met = await startPeer({ join: first.addresses(), seed })
  const alone = await start({ join: first.addresses() })
  await until(() => alone.connections().length === 2, 'it knows both')
  const address = (met.addresses()[0] ?? '').split('/p2p/')[0] ?? ''
  await stopAll([first, met])
  await until(() => alone.connections().length === 0, 'it is alone')
  const back = await start({ seed, listen: [address] })
  await until(() => alone.connections().some(({ peer }) => peer === back.peerId), 'it came back')
})

test('honest peers get in while ten silent sockets a second are opened', { timeout: 150_000 }, async () => {
  const target = await start()
  const silent: Socket[] = []
  const attack = setInterval(() => {
    const socket = connect(port(target), '127.0.0.1')
    socket.on('error', () => {})
    silent.push(socket)
  }, 100)
  try {
    await until(() => silent.length >= 30, 'many silent sockets are there')
    for (let round = 0; round < 25; round++) {
      const honest = await startPeer({ listen: [] })
      try {
        await honest.connect(target.addresses()[0] ?? '')
        await honest.link(target.peerId)
      } finally {
        await honest.stop()
      }
    }
    await until(() => silent.slice(0, 10).every(socket => socket.closed || socket.readableEnded), 'the first silent ones are sent away')
  } finally {
    clearInterval(attack)
    for (const socket of silent) socket.destroy()
  }
})

test('thirty peers that dial one at the same moment all get in', { timeout: 150_000 }, async () => {
  const target = await start()
  const dialers = await Promise.all(Array.from({ length: 30 }, () => start({ listen: [], dht: 'client' })))
  const links = await Promise.all(dialers.map(dialer => dialer.link(target.peerId, { addresses: target.addresses() })))
  expect(links.every(link => !link.closed)).toBe(true)
  await until(() => target.links().length === 30, 'the target has all links')
})

test('peers that cut their connections in the middle of dialling leave no error unheard', async () => {
  const cutter = createServer(socket => {
    socket.on('error', () => {})
    setTimeout(() => socket.resetAndDestroy(), Math.random() * 10)
  }).listen(0, '127.0.0.1')
  await once(cutter, 'listening')
  const address = cutter.address()
  const cut = typeof address === 'object' ? address?.port : 0
  const unheard: unknown[] = []
  const hear = (error: unknown) => void unheard.push(error)
  process.on('uncaughtException', hear)
  process.on('unhandledRejection', hear)
  try {
    const peer = await start({ join: [`/ip4/127.0.0.1/tcp/${cut}`] })
    const dials = await Promise.allSettled(Array.from({ length: 60 }, () => peer.connect(`/ip4/127.0.0.1/tcp/${cut}`)))
    expect(dials.every(dial => dial.status === 'rejected' && dial.reason.code === 'ERR_PEER_UNREACHABLE')).toBe(true)
    await new Promise(resolve => setTimeout(resolve, 100))
    expect(unheard).toEqual([])
  } finally {
    process.off('uncaughtException', hear)
    process.off('unhandledRejection', hear)
    cutter.close()
  }
})

test('TLS is what two peers speak, and one that only speaks noise gets in too', async () => {
  const target = await start()
  const address = multiaddr(target.addresses()[0] ?? '')
  const modern = await createLibp2p(connectionStack())
  const plain = await createLibp2p({ ...connectionStack(), connectionEncrypters: [noise()] })
  try {
    const [first, second] = [await modern.dial(address), await plain.dial(address)]
    expect([first.encryption, second.encryption]).toEqual(['/tls/1.0.0', '/noise'])
    expect([first.multiplexer, second.multiplexer]).toEqual(['/yamux/1.0.0', '/yamux/1.0.0'])
  } finally {
    await Promise.all([modern.stop(), plain.stop()])
  }
})

test('a peer key gives the same peer id, another another', async () => {
  const seed = new Uint8Array(32).fill(5)
  const [first, other] = await Promise.all([startPeer({ seed }), start()])
  await first.stop()
  const again = await start({ seed })
  expect(again.peerId).toBe(first.peerId)
  expect(other.peerId).not.toBe(first.peerId)
})
