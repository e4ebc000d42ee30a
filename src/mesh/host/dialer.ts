import type { Connection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { abortError, MotorpoolError } from '../../protocol/errors.ts'
import type { PeerId } from '../../protocol/ids.ts'
import { withSignal } from '../with-signal.ts'
import { addressesOf } from './addresses.ts'
import type { Host } from './host.ts'

export interface DialOptions {
  readonly addresses?: readonly (string | Uint8Array)[]
  readonly signal: AbortSignal
  /** A new connection even when there is one. */
  readonly fresh: boolean
}

/** The connection to a peer: the open one, else a new one through these addresses or what is known of the peer. */
export async function dialPeer(host: Host, peer: PeerId, options: DialOptions): Promise<Connection> {
  const id = peerIdFromString(peer)
  const existing = host.getConnections(id).find(connection => connection.status === 'open')
  if (existing !== undefined && !options.fresh) return existing
  const targets = addressesOf(peer, options.addresses ?? [])
  return host.dial(targets.length > 0 ? targets : id, { signal: options.signal, force: options.fresh })
}

/** The promise's outcome; its failure as `ERR_PEER_UNREACHABLE`, or as what the signal says. */
export async function reach<T>(promise: Promise<T>, whom: string, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await withSignal(promise, signal)
  } catch (cause) {
    if (signal?.aborted === true) throw abortError(signal)
    throw new MotorpoolError('ERR_PEER_UNREACHABLE', `${whom} cannot be reached; check the address, or try another peer`, { cause, retryable: true })
  }
}
