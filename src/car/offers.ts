import { LONGEST_BINDING_SECONDS, sealBinding } from '../ledger/binding.ts'
import { carAccountSigner } from '../ledger/car-account.ts'
import type { Price } from '../ledger/price.ts'
import type { Link } from '../mesh/mesh.ts'
import type { Offer } from '../protocol/control.ts'
import { openAward, sealEnvelope } from '../protocol/envelope.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import {
  type AccountId,
  cidFromBytes,
  cidToBytes,
  equalBytes,
  fromHex,
  type LeaseId,
  type ModelCid,
  type PeerId,
  peerIdToBytes,
  sha256,
  toHex
} from '../protocol/ids.ts'
import { forgetOldest, LIMITS } from '../protocol/limits.ts'
import type { Signer } from '../protocol/signer.ts'
import type { CarEffect } from './car-state.ts'

export interface OfferDesk {
  /** Signs an offer and the binding of this car's account for that client; undefined when the client told no account. */
  write: (link: Link, effect: Extract<CarEffect, { type: 'offer' }>, round: number) => { readonly offer: Uint8Array; readonly binding: Uint8Array } | undefined
  /** Checks an award against what was offered. Throws `ERR_BAD_SIGNATURE` and the like for what no honest client sends. */
  readAward: (
    link: Link,
    envelope: Uint8Array
  ) =>
    | { readonly lease: LeaseId; readonly model: ModelCid; readonly slots: number; readonly price: Price }
    | { readonly lease: LeaseId; readonly refusal: ErrorCode }
  /** This car's account for the client at the other end. */
  accountFor: (link: Link) => Signer | undefined
}

/** An offer is good for this long, seconds: a client decides within milliseconds. */
const OFFER_SECONDS = 30
/** Offers remembered until they are awarded or old. */
const OFFERS_KEPT = 1024
/** Accounts at hand, several times as many as there are connections; another client's is derived anew. */
const ACCOUNTS_KEPT = 1024

export function createOfferDesk(init: {
  readonly peer: PeerId
  readonly peerSigner: Signer
  readonly deviceSeed: Uint8Array
  readonly accountIndex: number
  readonly priceOf: (model: ModelCid) => Price
  /** Expected marginal energy of one task, millijoules; null when unknown. */
  readonly energyMjOf: (model: ModelCid) => number | null
  /** Whether the owner works for that account. */
  readonly isAllowed: (client: AccountId) => boolean
  readonly nowSeconds: () => number
}): OfferDesk {
  const accounts = new Map<string, Signer>()
  const made = new Map<string, { readonly offer: Offer; readonly client: PeerId }>()

  function accountFor(link: Link): Signer | undefined {
    const client = link.hello.account
    if (client === undefined) return undefined
    const key = toHex(client)
    const known = accounts.get(key)
    if (known !== undefined) return known
    const account = carAccountSigner(init.deviceSeed, client, init.accountIndex)
    accounts.set(key, account)
    forgetOldest(accounts, ACCOUNTS_KEPT)
    return account
  }

  const isWelcome = (client: Uint8Array): boolean => init.isAllowed(toHex(client) as AccountId)

  return {
    accountFor,
    write: (link, effect, round) => {
      const account = accountFor(link)
      const { account: client, nonce } = link.hello
      if (account === undefined || client === undefined || nonce === undefined || !isWelcome(client)) return undefined
      const now = init.nowSeconds()
      const offer: Offer = {
        v: 1,
        task: fromHex(effect.ask),
        round,
        model: cidToBytes(effect.model),
        car: peerIdToBytes(init.peer),
        client: peerIdToBytes(link.remote),
        slots: effect.slots,
        parallel: effect.parallel,
        queued: effect.queued,
        completionUs: effect.completionUs,
        runUs: effect.runUs,
        price: init.priceOf(effect.model),
        stay: effect.stay,
        energyMj: init.energyMjOf(effect.model),
        issued: now,
        expires: now + OFFER_SECONDS
      }
      const envelope = sealEnvelope(init.peerSigner, 'offer', offer)
      made.set(toHex(sha256(envelope)), { offer, client: link.remote })
      forgetOldest(made, OFFERS_KEPT)
      return { offer: envelope, binding: sealBinding(account, { peer: peerIdToBytes(init.peer), client, nonce, expires: now + LONGEST_BINDING_SECONDS }) }
    },
    readAward: (link, envelope) => {
      const lease = toHex(sha256(envelope)) as LeaseId
      const { value: award } = openAward(envelope)
      const account = accountFor(link)
      if (
        account === undefined ||
        link.hello.account === undefined ||
        !equalBytes(award.client, link.hello.account) ||
        !equalBytes(award.car, account.publicKey)
      )
        return { lease, refusal: 'ERR_BAD_SIGNATURE' }
      if (!isWelcome(award.client)) return { lease, refusal: 'ERR_NOT_ALLOWED' }
      const digest = toHex(award.offer)
      const offered = made.get(digest)
      if (offered === undefined || offered.client !== link.remote) return { lease, refusal: 'ERR_REPLAYED' }
      const now = init.nowSeconds()
      if (offered.offer.expires + LIMITS.clockSkewSeconds < now || award.expires < now - LIMITS.clockSkewSeconds) return { lease, refusal: 'ERR_EXPIRED' }
      const { price, slots, model } = offered.offer
      if (!equalBytes(award.model, model) || award.slots > slots || JSON.stringify(award.price) !== JSON.stringify(price))
        return { lease, refusal: 'ERR_SCHEMA' }
      made.delete(digest)
      return { lease, model: cidFromBytes(model), slots: award.slots, price }
    }
  }
}
