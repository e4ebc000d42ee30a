import type { Selectors, Validators } from '@libp2p/kad-dht'
import { openCapacity } from '../protocol/envelope.ts'
import { MotorpoolError } from '../protocol/errors.ts'
import { type PeerId, peerIdOfKey } from '../protocol/ids.ts'
import { LIMITS } from '../protocol/limits.ts'

const NAMESPACE = 'motorpool-capacity'
const PREFIX = `/${NAMESPACE}/`

/** The DHT key of a peer's capacity record. */
export function capacityKey(peer: PeerId): Uint8Array {
  return new TextEncoder().encode(PREFIX + peer)
}

/**
 * Checks a capacity record: envelope, signed by the peer of its key, neither expired nor issued later than honest clocks
 * allow. Returns when it was issued (seconds since 1970); throws `ERR_BAD_SIGNATURE`, `ERR_EXPIRED` and what opening throws.
 */
export function checkCapacity(peer: string, envelope: Uint8Array, nowSeconds: number): number {
  const { value, publicKey } = openCapacity(envelope)
  if (peerIdOfKey(publicKey) !== peer) throw new MotorpoolError('ERR_BAD_SIGNATURE', 'a capacity record lies under the key of another peer; ignore it')
  if (value.expires + LIMITS.clockSkewSeconds < nowSeconds) throw new MotorpoolError('ERR_EXPIRED', 'a capacity record is out of date; ask the peer itself')
  if (value.issued - LIMITS.clockSkewSeconds > nowSeconds) throw new MotorpoolError('ERR_EXPIRED', 'a capacity record comes from the future; set the clock')
  return value.issued
}

/** The newest record that passes the check, or undefined. */
export function newestCapacity(peer: string, records: readonly Uint8Array[], nowSeconds: number): Uint8Array | undefined {
  let newest: { record: Uint8Array; issued: number } | undefined
  for (const record of records) {
    try {
      const issued = checkCapacity(peer, record, nowSeconds)
      if (newest === undefined || issued > newest.issued) newest = { record, issued }
    } catch {
      // A record that doesn't hold says something about who served it, nothing about the peer.
    }
  }
  return newest?.record
}

const nowSeconds = () => Math.floor(Date.now() / 1000)
const peerOfKey = (key: Uint8Array) => new TextDecoder().decode(key).slice(PREFIX.length)

export const capacityValidators: Validators = {
  [NAMESPACE]: (key, value) => {
    checkCapacity(peerOfKey(key), value, nowSeconds())
  }
}

export const capacitySelectors: Selectors = {
  [NAMESPACE]: (key, records) => {
    const newest = newestCapacity(peerOfKey(key), records, nowSeconds())
    return newest === undefined ? 0 : records.indexOf(newest)
  }
}
