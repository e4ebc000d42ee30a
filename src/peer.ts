import type { Car, CarOptions } from './car/car.ts'
import type { Job, JobOutcome, RunOptions, TaskInputs, TaskResult } from './client/client.ts'
import type { FoundPeer } from './mesh/mesh.ts'
import type { AccountId, PeerId } from './protocol/ids.ts'

export interface PeerOptions {
  /** Keys, journals and models live here (0700); a temporary folder, removed at stop, unless given. */
  readonly dataFolder?: string
  /** A model store shared with other peers of this machine. @default `<dataFolder>/models` */
  readonly modelFolder?: string
  /** Multiaddrs to listen on. @default ['/ip4/127.0.0.1/tcp/0'] */
  readonly listen?: readonly string[]
  /** Multiaddrs of peers to join through; used only to get in. */
  readonly join?: readonly string[]
  /** Finds peers in the same network by mDNS. @default false */
  readonly mdns?: boolean
  /** `server`: answers DHT queries (publicly dialable peers, test nets). @default 'server' when it listens on loopback only, else 'client' */
  readonly dht?: 'server' | 'client'
  /** Offers inference; a peer without is a client. */
  readonly car?: CarOptions
}

export interface PeerStatus {
  readonly peerId: PeerId
  readonly addresses: readonly string[]
  readonly connections: number
  readonly links: number
  readonly car: ReturnType<Car['status']> | null
  readonly client: { readonly submitted: number; readonly done: number; readonly failed: number; readonly moved: number; readonly droppedLate: number }
}

/** A member of the mesh; see the README for eight lines that use it. */
export interface Peer {
  /** Changes when its car leaves and joins again. */
  readonly peerId: PeerId
  readonly account: AccountId
  readonly car: Car | undefined
  addresses: () => readonly string[]
  /** Runs one task on some car. Model: a name in the store, or a CID. Errors: see RunOptions and docs/errors.md. */
  run: (model: string, inputs: TaskInputs, options?: RunOptions) => Promise<TaskResult>
  /** Runs many tasks; results come as they end, in any order. Leaving the loop cancels the rest. */
  submit: (job: Job) => AsyncIterable<JobOutcome>
  status: () => PeerStatus
  connections: () => readonly FoundPeer[]
  /** Round trip to a peer, ms. */
  ping: (peer: string, options?: { readonly signal?: AbortSignal }) => Promise<number>
  stop: () => Promise<void>
}
