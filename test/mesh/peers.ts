import { randomBytes } from 'node:crypto'
import { createMesh, type HostedMesh, type MeshInit } from '../../src/mesh/create-mesh.ts'
import type { Link, LinkHandlers, TransferBody } from '../../src/mesh/mesh.ts'
import type { ControlMessage, Hello } from '../../src/protocol/control.ts'
import type { TransferHead } from '../../src/protocol/transfer.ts'

export interface Received {
  readonly messages: { readonly link: Link; readonly message: ControlMessage }[]
  readonly transfers: { readonly link: Link; readonly head: TransferHead; readonly body: TransferBody }[]
  readonly closed: { readonly link: Link; readonly error: Error | undefined }[]
}

export type TestPeer = HostedMesh & { readonly received: Received }

const hello: Hello = { type: 'hello', v: 1, agent: 'test' }

/** A mesh on loopback that remembers what it hears. */
export async function startPeer(init: Partial<MeshInit> = {}): Promise<TestPeer> {
  const received: Received = { messages: [], transfers: [], closed: [] }
  const handlers: LinkHandlers = {
    onMessage: (link, message) => received.messages.push({ link, message }),
    onTransfer: (link, head, body) => received.transfers.push({ link, head, body }),
    onClose: (link, error) => received.closed.push({ link, error })
  }
  const mesh = await createMesh({
    seed: randomBytes(32),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    join: [],
    mdns: false,
    dht: 'server',
    hello: () => hello,
    handlers,
    validate: () => 'accept',
    ...init
  })
  return Object.assign(mesh, { received })
}

/** Resolves when the condition holds; looks often, and gives up loudly. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, limitMs = 60_000): Promise<void> {
  const end = performance.now() + limitMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms in vain until ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

/** Stops peers, whatever the test did with them. */
export async function stopAll(peers: readonly { stop: () => Promise<void> }[]): Promise<void> {
  await Promise.all(peers.map(peer => peer.stop()))
}

/** Two peers with a link between them. */
export async function startPair(first: Partial<MeshInit> = {}, second: Partial<MeshInit> = {}): Promise<{ a: TestPeer; b: TestPeer; toB: Link; toA: Link }> {
  const [a, b] = await Promise.all([startPeer(first), startPeer(second)])
  const toB = await a.link(b.peerId, { addresses: b.addresses() })
  await until(() => b.links().length === 1, 'the other side has the link')
  return { a, b, toB, toA: b.links()[0] as Link }
}

/** The transfer with this id, as soon as its head is there. */
export async function arrival(peer: TestPeer, id: number): Promise<TransferBody> {
  const find = () => peer.received.transfers.find(({ head }) => head.type === 'result' && head.part === id)
  await until(() => find() !== undefined, `transfer ${id} arrives`)
  return (find() as { body: TransferBody }).body
}

/** Distinct bytes, so that a mix-up shows. */
export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >> 8) * 7 + seed) & 0xff
  return bytes
}

export function joinParts(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** A small transfer head that carries a number. */
export function numberedHead(id: number): TransferHead {
  return { type: 'result', lease: new Uint8Array(32), task: new Uint8Array(16), attempt: 1, part: id, kind: 'tensors', parameters: {}, tensors: [] }
}
