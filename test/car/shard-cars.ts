import { randomBytes } from 'node:crypto'
import { joinShard, type ShardMember } from '../../src/car/shard-member.ts'
import { createMesh, type HostedMesh } from '../../src/mesh/create-mesh.ts'
import type { LinkHandlers } from '../../src/mesh/mesh.ts'
import { openHeardAnnouncement } from '../../src/placement/open-gossip.ts'
import { createShardGate } from '../../src/placement/shard-gate.ts'
import { SHARD_DEFAULTS, type ShardSettings } from '../../src/placement/shards.ts'
import type { Announcement } from '../../src/protocol/announcement.ts'
import { looksLikeBeacon, sealEnvelope } from '../../src/protocol/envelope.ts'
import { cidToBytes, type ModelCid, peerIdOfKey, peerIdToBytes } from '../../src/protocol/ids.ts'
import { type Signer, signerFromSeed } from '../../src/protocol/signer.ts'

/** A car as far as its shards go: a real mesh, no worker. */
export interface ShardCar {
  readonly mesh: HostedMesh
  readonly member: ShardMember
  /** Announcements heard, each with the prefix of its shard. */
  readonly heard: Announcement[]
  readonly moves: { readonly from: string; readonly to: string }[]
  /** Beacons that reached it, those that it refused included. */
  beacons: () => number
  leave: () => Promise<void>
}

const HANDLERS: LinkHandlers = { onMessage: () => undefined, onTransfer: (_link, _head, body) => body.discard(), onClose: () => undefined }

/** @param dht - `client`: it answers no queries of others, as one that can't be dialled from outside */
export async function startShardCar(
  model: ModelCid,
  join: readonly string[],
  changes: Partial<ShardSettings>,
  dht: 'server' | 'client' = 'server'
): Promise<ShardCar> {
  const settings = { ...SHARD_DEFAULTS, ...changes }
  const heard: Announcement[] = []
  const moves: ShardCar['moves'] = []
  let beacons = 0
  let member: ShardMember | undefined
  const gate = createShardGate(Date.now, settings.beaconMs)
  const mesh = await createMesh({
    seed: randomBytes(32),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    join,
    mdns: false,
    dht,
    hello: () => ({ type: 'hello', v: 1, agent: 'test', shards: [[cidToBytes(model), member?.bits() ?? '', member?.cars() ?? 1]] }),
    handlers: HANDLERS,
    validate: (topic, message) => {
      if (looksLikeBeacon(message)) beacons++
      return gate(topic, message)
    }
  })
  member = joinShard({
    mesh,
    model,
    settings,
    clock: { monotonicMs: () => performance.now(), unixMs: Date.now },
    random: Math.random,
    onMessage: message => heard.push(openHeardAnnouncement(message).value),
    onMove: ({ from, to }) => moves.push({ from, to })
  })
  const joined = member
  return {
    mesh,
    member: joined,
    heard,
    moves,
    beacons: () => beacons,
    leave: async () => {
      await joined.leave()
      await mesh.stop()
    }
  }
}

/** A peer that only asks. */
export function startAsker(join: readonly string[]): Promise<HostedMesh> {
  return createMesh({
    seed: randomBytes(32),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    join,
    mdns: false,
    dht: 'server',
    hello: () => ({ type: 'hello', v: 1, agent: 'test' }),
    handlers: HANDLERS,
    validate: () => 'accept'
  })
}

/** An announcement for all cars of a shard, from a client that nobody has heard of: cars limit what one client may say. */
export function freshAnnouncement(
  model: ModelCid,
  bits: string,
  changes: Partial<Announcement> = {}
): { readonly task: Uint8Array; readonly message: Uint8Array } {
  const client: Signer = signerFromSeed(randomBytes(32))
  const issued = Math.floor(Date.now() / 1000)
  const announcement: Announcement = {
    v: 1,
    bits,
    task: randomBytes(16),
    model: cidToBytes(model),
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
    client: peerIdToBytes(peerIdOfKey(client.publicKey)),
    addresses: [],
    issued,
    expires: issued + 30,
    ...changes
  }
  return { task: announcement.task, message: sealEnvelope(client, 'announcement', announcement) }
}
