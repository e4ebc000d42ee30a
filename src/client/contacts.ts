import { checkBinding } from '../ledger/binding.ts'
import type { Link } from '../mesh/mesh.ts'
import type { RankableOffer } from '../placement/ranking.ts'
import type { Award, Offer } from '../protocol/control.ts'
import { openOffer, sealEnvelope } from '../protocol/envelope.ts'
import { isMotorpoolError } from '../protocol/errors.ts'
import {
  type AccountId,
  cidFromBytes,
  cidToBytes,
  fromHex,
  type LeaseId,
  type ModelCid,
  type PeerId,
  peerIdFromBytes,
  peerIdToBytes,
  sha256,
  type TaskId,
  toHex
} from '../protocol/ids.ts'
import { forgetOldest, LIMITS } from '../protocol/limits.ts'
import type { Signer } from '../protocol/signer.ts'
import { completionRate, type Experience, NO_EXPERIENCE, recordOutcome } from '../trust/experience.ts'
import type { FlushProof } from './tasks/exchange.ts'

/** A car that offered to this client on the link that is open now. */
export interface Contact {
  readonly link: Link
  /** The car's account for this client. */
  readonly account: AccountId
  /** What ties the account to the peer key, as received. */
  readonly binding: Uint8Array
}

/** An offer that was checked, and what it takes to award it. */
export interface HeardOffer {
  readonly ask: string
  readonly round: number
  readonly model: ModelCid
  readonly contact: Contact
  readonly offer: Offer
  readonly digest: Uint8Array
}

/** Leases are asked for anew after this long, seconds. */
const LEASE_SECONDS = 3600

/** Checks an offer and its binding against the link that they came on. Throws the typed error of what is wrong. */
export function readOffer(
  link: Link,
  message: { readonly offer: Uint8Array; readonly binding: Uint8Array },
  own: { readonly peer: PeerId; readonly account: Uint8Array; readonly nowSeconds: number }
): HeardOffer | string {
  const { value: offer } = openOffer(message.offer)
  if (peerIdFromBytes(offer.car) !== link.remote) return 'the offer names another car'
  if (peerIdFromBytes(offer.client) !== own.peer) return 'the offer is for another client'
  if (offer.expires + LIMITS.clockSkewSeconds < own.nowSeconds) return 'the offer has expired'
  const verdict = checkBinding(message.binding, {
    peer: peerIdToBytes(link.remote),
    client: own.account,
    nonce: link.ownHello.nonce ?? new Uint8Array(0),
    nowSeconds: own.nowSeconds
  })
  if (!verdict.accepted) return verdict.reason
  const contact: Contact = { link, account: toHex(verdict.account) as AccountId, binding: message.binding }
  return { ask: toHex(offer.task), round: offer.round, model: cidFromBytes(offer.model), contact, offer, digest: sha256(message.offer) }
}

/** Signs the award of an offer; its lease is sha256 of the envelope. */
export function writeAward(
  account: Signer,
  heard: HeardOffer,
  slots: number,
  nonce: Uint8Array,
  nowSeconds: number
): { readonly held: AwardedLease; readonly envelope: Uint8Array } {
  const carAccount = fromHex(heard.contact.account)
  const award: Award = {
    v: 1,
    client: account.publicKey,
    car: carAccount,
    offer: heard.digest,
    model: cidToBytes(heard.model),
    slots,
    price: heard.offer.price,
    nonce,
    issued: nowSeconds,
    expires: nowSeconds + LEASE_SECONDS
  }
  const envelope = sealEnvelope(account, 'award', award)
  const leaseBytes = sha256(envelope)
  return { held: { lease: toHex(leaseBytes) as LeaseId, leaseBytes, carAccount, heard, early: new Map() }, envelope }
}

/** Car accounts remembered, and as many that lied; a car has a new one at each stay, so those not met for longest go first. */
const ACCOUNTS_REMEMBERED = 4096

/** What this client has seen of car accounts while it runs. */
export function createMemory(): {
  rank: (heard: HeardOffer, draw: number) => RankableOffer
  record: (account: AccountId, outcome: 'completed' | 'failed', nowMs: number) => void
  block: (account: AccountId) => void
  isBlocked: (account: AccountId) => boolean
} {
  const experiences = new Map<AccountId, Experience>()
  const blocked = new Set<AccountId>()
  return {
    rank: (heard, draw) => ({
      car: heard.contact.link.remote,
      offer: heard.offer,
      completionRate: completionRate(experiences.get(heard.contact.account) ?? NO_EXPERIENCE),
      draw
    }),
    record: (account, outcome, nowMs) => {
      const before = experiences.get(account) ?? NO_EXPERIENCE
      experiences.delete(account)
      experiences.set(account, recordOutcome(before, outcome, nowMs))
      forgetOldest(experiences, ACCOUNTS_REMEMBERED)
    },
    block: account => {
      blocked.add(account)
      forgetOldest(blocked, ACCOUNTS_REMEMBERED)
    },
    isBlocked: account => blocked.has(account)
  }
}

/** An award, granted or not yet. */
export interface AwardedLease {
  readonly lease: LeaseId
  readonly leaseBytes: Uint8Array
  /** Raw. */
  readonly carAccount: Uint8Array
  readonly heard: HeardOffer
  /** Receipts that overtook the results of current attempts. */
  readonly early: Map<TaskId, FlushProof>
}

/** Says something to a car that may be gone; a lost link is noticed elsewhere. */
export function quietly(say: () => void): void {
  try {
    say()
  } catch (error) {
    if (!isMotorpoolError(error, 'ERR_LINK_CLOSED')) throw error
  }
}
