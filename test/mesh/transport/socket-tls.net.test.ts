import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { ConnectionEncrypter } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { type TLSComponents, tls } from '@libp2p/tls'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { afterEach, describe, expect, test } from 'vitest'
import { type ConnectionStack, connectionStack } from '../../../src/mesh/host/connection-stack.ts'
import { socketTls } from '../../../src/mesh/transport/socket-tls.ts'
import { socketTransport } from '../../../src/mesh/transport/socket-transport.ts'
import { arrival, joinParts, numberedHead, pattern, startPair, stopAll, until } from '../peers.ts'
import { stockStack } from '../stock-stack.ts'

type Encrypter = (components: TLSComponents) => ConnectionEncrypter

const MIB = 1024 * 1024
/** What a dialler sends before its TLS handshake. */
const ASK_FOR_TLS = '\x13/multistream/1.0.0\n\x0b/tls/1.0.0\n'

const nodes: { stop: () => void | Promise<void> }[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(nodes.splice(0).map(node => node.stop()))
})

async function startNode(stack: Partial<ConnectionStack> = {}, listen = '/ip4/127.0.0.1/tcp/0'): Promise<Libp2p> {
  const node = await createLibp2p({
    ...connectionStack(),
    ...stack,
    addresses: { listen: [listen] },
    connectionManager: { inboundUpgradeTimeout: 5000, inboundConnectionThreshold: 100 }
  })
  nodes.push(node)
  return node
}

/** Names no muxer in the handshake, like a peer that can't negotiate it early. */
const withoutEarlyMuxer =
  (create: Encrypter): Encrypter =>
  components =>
    create({
      privateKey: components.privateKey,
      logger: components.logger,
      // It is there only after the encrypters.
      get upgrader() {
        return Object.create(components.upgrader, { getStreamMuxers: { value: () => new Map() } })
      }
    })

const ours = (): ConnectionStack => ({ ...connectionStack(), connectionEncrypters: [socketTls()] })
const stock = (): ConnectionStack => ({ ...stockStack(), connectionEncrypters: [tls()] })
const oursLate = (): ConnectionStack => ({ ...ours(), connectionEncrypters: [withoutEarlyMuxer(socketTls())] })
const stockLate = (): ConnectionStack => ({ ...stock(), connectionEncrypters: [withoutEarlyMuxer(tls())] })

describe.each([
  ['ours', 'stock', ours, stock],
  ['stock', 'ours', stock, ours],
  ['ours', 'ours', ours, ours],
  ['ours', 'stock without early muxer', ours, stockLate],
  ['stock without early muxer', 'ours', stockLate, ours],
  ['ours without early muxer', 'stock', oursLate, stock],
  ['stock', 'ours without early muxer', stock, oursLate]
])('%s dials %s', (_dialling, _listening, dialling, listening) => {
  test('payloads arrive whole both ways, and the link closes in order', async () => {
    const pair = await startPair({ stack: dialling() }, { stack: listening() })
    try {
      const [there, back] = [pattern(3 * MIB + 7, 1), pattern(2 * MIB + 1, 2)]
      const sent = Promise.all([pair.toB.transfer(numberedHead(1), [there]), pair.toA.transfer(numberedHead(2), [back])])
      const [atB, atA] = await Promise.all([arrival(pair.b, 1).then(body => body.all()), arrival(pair.a, 2).then(body => body.all())])
      await sent
      expect(Buffer.compare(joinParts(atB), there)).toBe(0)
      expect(Buffer.compare(joinParts(atA), back)).toBe(0)
      await pair.toB.close()
      await until(() => pair.b.received.closed.length === 1, 'the other side hears of it')
      expect(pair.b.received.closed[0]?.error).toBeUndefined()
    } finally {
      await stopAll([pair.a, pair.b])
    }
  })
})

describe.each([
  ['ours', 'stock', ours, stock],
  ['stock', 'ours', stock, ours],
  ['ours', 'ours', ours, ours]
])('%s dials %s', (_dialling, _listening, dialling, listening) => {
  test('whoever is not the peer that was asked for is refused', async () => {
    const [dialler, listener] = [await startNode(dialling()), await startNode(listening())]
    const other = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    const address = listener.getMultiaddrs()[0]?.decapsulate('/p2p').encapsulate(`/p2p/${other}`)
    await expect(dialler.dial(address ?? [])).rejects.toThrow()
    await until(() => dialler.getConnections().length + listener.getConnections().length === 0, 'nothing is left of it')
  })

  test('closing or aborting a connection ends it at the other side', async () => {
    const [dialler, listener] = [await startNode(dialling()), await startNode(listening())]
    const closed = await dialler.dial(listener.getMultiaddrs())
    expect([closed.encryption, closed.multiplexer]).toEqual(['/tls/1.0.0', '/yamux/1.0.0'])
    await until(() => listener.getConnections().length === 1, 'both sides are connected')
    await closed.close()
    await until(() => listener.getConnections().length === 0, 'the other side is closed')

    const aborted = await dialler.dial(listener.getMultiaddrs())
    await until(() => listener.getConnections().length === 1, 'both sides are connected')
    const [seen] = listener.getConnections()
    aborted.abort(new Error('for the test'))
    await until(() => seen?.status !== 'open' && listener.getConnections().length === 0, 'the other side is aborted')
    expect(dialler.getConnections()).toEqual([])
  })
})

test('the handshake names the muxer, unless it is told not to', async () => {
  const kept: TLSComponents[] = []
  const keep: Encrypter = components => {
    kept.push(components)
    return socketTls()(components)
  }
  await startNode({ connectionEncrypters: [keep] })
  await startNode({ connectionEncrypters: [keep] })
  const [client, server] = kept
  if (client === undefined || server === undefined) throw new Error('two nodes have components')
  // Connections in memory have no socket, as relayed ones.
  for (const skipStreamMuxerNegotiation of [false, true]) {
    const [outbound, inbound] = multiaddrConnectionPair()
    const [dialled, accepted] = await Promise.all([
      socketTls()(client).secureOutbound(outbound, { skipStreamMuxerNegotiation }),
      socketTls()(server).secureInbound(inbound, { skipStreamMuxerNegotiation })
    ])
    expect(dialled.remotePeer).toEqual(peerIdFromPrivateKey(server.privateKey))
    expect(accepted.remotePeer).toEqual(peerIdFromPrivateKey(client.privateKey))
    expect(dialled.streamMuxer?.protocol).toBe(skipStreamMuxerNegotiation ? undefined : '/yamux/1.0.0')
    const heard = new Promise<Uint8Array>(resolve => accepted.connection.addEventListener('message', ({ data }) => resolve(data.subarray()), { once: true }))
    dialled.connection.send(new Uint8Array([1, 2, 3]))
    expect([...(await heard)]).toEqual([1, 2, 3])
    await dialled.connection.close()
  }
})

test.each([
  ['garbage', Buffer.alloc(300, 7)],
  ['nothing', Buffer.alloc(0)]
])('a socket that sends %s instead of a handshake is closed, and others still get in', async (_what, bytes) => {
  const listener = await createLibp2p({
    ...ours(),
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    connectionManager: { inboundUpgradeTimeout: 700 }
  })
  nodes.push(listener)
  const socket = connectTo(listener)
  socket.on('error', () => {})
  socket.resume()
  socket.write(ASK_FOR_TLS)
  socket.write(bytes)
  await once(socket, 'close')
  const dialler = await startNode(ours())
  expect((await dialler.dial(listener.getMultiaddrs())).status).toBe('open')
})

test('a socket that goes away in the handshake leaves nothing behind', async () => {
  const listener = await startNode(ours())
  for (let count = 0; count < 10; count++) {
    const socket = connectTo(listener)
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write(ASK_FOR_TLS)
    if (count % 2 === 0) await once(socket, 'data')
    if (count % 3 === 0) socket.resetAndDestroy()
    else socket.destroy()
  }
  const dialler = await startNode(ours())
  expect((await dialler.dial(listener.getMultiaddrs())).status).toBe('open')
  await until(() => listener.getConnections().length === 1, 'only the honest one is left')
})

test('a dial ends when its signal aborts, at any stage of the handshake, and its socket with it', async () => {
  const accepted: Socket[] = []
  const silent = createServer(socket => {
    accepted.push(socket)
    socket.on('error', () => {})
    // Agrees to TLS and then says no more.
    socket.once('data', () => socket.write(ASK_FOR_TLS))
    socket.resume()
  })
  await once(silent.listen(0, '127.0.0.1'), 'listening')
  try {
    const address = silent.address()
    const port = typeof address === 'object' ? address?.port : 0
    const dialler = await startNode(ours())
    await expect(dialler.dial(multiaddr(`/ip4/127.0.0.1/tcp/${port}`), { signal: AbortSignal.timeout(500) })).rejects.toThrow()
    await until(() => accepted.length > 0 && accepted.every(socket => socket.destroyed), 'the socket is closed')
    expect(dialler.getConnections()).toEqual([])
  } finally {
    silent.close()
  }
})

test('a socket that is silent for too long is closed; bytes in either direction keep it', async () => {
  const stack = { ...ours(), transports: [socketTransport({ idleMs: 1500 })] }
  const [dialler, listener] = [await startNode(stack), await startNode(ours())]
  await listener.handle('/beat', stream => stream.addEventListener('message', () => {}))
  const connection = await dialler.dial(listener.getMultiaddrs())
  const stream = await connection.newStream('/beat')
  for (let count = 0; count < 30; count++) {
    stream.send(new Uint8Array(1))
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  expect(connection.status).toBe('open')
  await until(() => connection.status !== 'open', 'it is closed for silence')
})

test('peers meet over a Unix socket, too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'motorpool-socket-'))
  try {
    const listener = await startNode(ours(), `/unix/${encodeURIComponent(join(folder, 'peer.sock'))}`)
    const dialler = await startNode(ours())
    const connection = await dialler.dial(listener.getMultiaddrs())
    expect(connection.remotePeer.equals(listener.peerId)).toBe(true)
    connection.abort(new Error('for the test'))
    await until(() => listener.getConnections().length === 0, 'the other side is aborted')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

function connectTo(node: Libp2p): Socket {
  const [address] = node.getMultiaddrs()
  const port = Number(address?.getComponents().find(({ name }) => name === 'tcp')?.value)
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  return socket
}
