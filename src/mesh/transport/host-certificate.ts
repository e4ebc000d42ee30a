import { createSecureContext, type SecureContext } from 'node:tls'
import type { PrivateKey } from '@libp2p/interface'
import { generateCertificate } from '@libp2p/tls/utils'

/** A certificate holds from an hour before it was made; half of that is left when the clock has been set back. */
const CLOCK_BACK_MS = 30 * 60 * 1000
/** It would hold for a century; a fresh one a day limits what a leaked key is good for. */
const RENEWAL_MS = 24 * 60 * 60 * 1000

/**
 * TLS settings with a certificate that carries the host's key (libp2p TLS spec), made once a day: making one costs more CPU than
 * the rest of a handshake.
 */
export function createHostCertificate(privateKey: PrivateKey, unixMs: () => number = Date.now): () => Promise<SecureContext> {
  let current: { readonly madeAt: number; readonly context: Promise<SecureContext> } | undefined
  return () => {
    const now = unixMs()
    if (current !== undefined && now > current.madeAt - CLOCK_BACK_MS && now < current.madeAt + RENEWAL_MS) return current.context
    const made = { madeAt: now, context: makeContext(privateKey) }
    current = made
    made.context.catch(() => {
      if (current === made) current = undefined
    })
    return made.context
  }
}

async function makeContext(privateKey: PrivateKey): Promise<SecureContext> {
  const { cert, key } = await generateCertificate(privateKey)
  return createSecureContext({ cert, key, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', sessionIdContext: 'libp2p' })
}
