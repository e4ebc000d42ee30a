import type { Binding } from '../protocol/control.ts'
import { openBinding, sealEnvelope } from '../protocol/envelope.ts'
import { isMotorpoolError } from '../protocol/errors.ts'
import { equalBytes } from '../protocol/ids.ts'
import { LIMITS } from '../protocol/limits.ts'
import type { Signer } from '../protocol/signer.ts'

/** A stolen binding is of use for no longer than this; there is no other revocation. */
export const LONGEST_BINDING_SECONDS = 24 * 3600

export interface BindingTerms {
  /** The car's peer id of today, as bytes. */
  readonly peer: Uint8Array
  /** The client's account, raw. */
  readonly client: Uint8Array
  /** The 32 bytes of the client's hello. */
  readonly nonce: Uint8Array
  /** Seconds since 1970 UTC. */
  readonly expires: number
}

/** `account`: the car's, raw. */
export type BindingVerdict =
  | { readonly accepted: true; readonly account: Uint8Array; readonly binding: Binding }
  | { readonly accepted: false; readonly reason: string }

/** Ties the car's account for this client to its peer key of today. */
export function sealBinding(carSigner: Signer, terms: BindingTerms): Uint8Array {
  const { peer, client, nonce, expires } = terms
  const binding: Binding = { v: 1, account: carSigner.publicKey, peer, client, nonce, expires }
  return sealEnvelope(carSigner, 'binding', binding)
}

/** Whether a binding was made for this peer, client and nonce, and is in force at `nowSeconds`. */
export function checkBinding(envelope: Uint8Array, expected: Omit<BindingTerms, 'expires'> & { readonly nowSeconds: number }): BindingVerdict {
  let binding: Binding
  try {
    binding = openBinding(envelope).value
  } catch (error) {
    if (!isMotorpoolError(error)) throw error
    return refuse(error.message)
  }
  if (!equalBytes(binding.peer, expected.peer)) return refuse('the binding names another peer')
  if (!equalBytes(binding.client, expected.client)) return refuse('the binding names another client')
  if (!equalBytes(binding.nonce, expected.nonce)) return refuse('the binding answers another hello')
  if (binding.expires + LIMITS.clockSkewSeconds < expected.nowSeconds) return refuse('the binding has expired')
  if (binding.expires > expected.nowSeconds + LONGEST_BINDING_SECONDS + LIMITS.clockSkewSeconds) return refuse('the binding lasts longer than 24 hours')
  return { accepted: true, account: binding.account, binding }
}

function refuse(reason: string): BindingVerdict {
  return { accepted: false, reason }
}
