import type { CarOptions } from '../car/car.ts'
import type { LoadModelsInit } from '../car/load-models.ts'
import type { Clock } from '../protocol/signer.ts'

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
  /** A lease without work is given back to its car after this, ms. @default 10000 */
  readonly leaseIdleMs?: number
  /** Offers inference; a peer without is a client. */
  readonly car?: CarOptions
}

/** What runs a peer's models. */
export type PeerParts = Pick<LoadModelsInit, 'startRunner'>

export const SYSTEM_CLOCK: Clock = { monotonicMs: () => performance.now(), unixMs: () => Date.now() }
/** What a peer calls itself to others. */
export const AGENT = 'motorpool/0.1.0'
