import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CarOptions } from '../src/car/car.ts'
import { openModelStore } from '../src/models/model-store.ts'
import type { PeerOptions } from '../src/peer/peer-options.ts'
import { createPeer, type Peer } from '../src/peer.ts'
import type { ModelCid } from '../src/protocol/ids.ts'
import { type Signer, signerFromSeed } from '../src/protocol/signer.ts'

/** Real peers in this process on loopback, with one model store; all is stopped and removed by `close`. */
export interface LocalMesh {
  readonly publisher: Signer
  readonly folder: string
  /** Adds an ONNX model under a name. */
  addModel: (name: string, onnx: Uint8Array) => Promise<ModelCid>
  addCar: (options?: Partial<CarOptions>, peer?: PeerOptions) => Promise<Peer>
  addClient: (peer?: PeerOptions) => Promise<Peer>
  close: () => Promise<void>
}

export function openLocalMesh(): LocalMesh {
  const folder = mkdtempSync(join(tmpdir(), 'motorpool-test-'))
  const publisher = signerFromSeed(createHash('sha256').update(randomBytes(32)).digest())
  const peers: Peer[] = []
  const models = join(folder, 'models')
  const start = async (options: PeerOptions): Promise<Peer> => {
    const joined = peers.flatMap(peer => (peer.status().peerId === null ? [] : peer.addresses().slice(0, 1))).slice(0, 2)
    const peer = await createPeer({ modelFolder: models, join: joined, ...options })
    peers.push(peer)
    return peer
  }
  return {
    publisher,
    folder,
    addModel: async (name, onnx) => {
      const path = join(folder, `${name}.onnx`)
      writeFileSync(path, onnx)
      const store = await openModelStore(models)
      return (await store.add(path, { name, publisher })).cid
    },
    addCar: (car, peer) => start({ ...peer, car: { policy: { publishers: [Buffer.from(publisher.publicKey).toString('hex')] }, ...car } }),
    addClient: peer => start({ ...peer }),
    close: async () => {
      await Promise.all(peers.map(peer => peer.stop()))
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
