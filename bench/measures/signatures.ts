import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { signerFromSeed, verifySignature } from '../../src/protocol/signer.ts'
import { type Measure, pairedRatio } from '../measure.ts'

const ROUNDS = 9
const SIGNATURES_A_ROUND = 300

/** Our Ed25519 (node:crypto with kept keys and our checks on keys and signatures) against @libp2p/crypto's, which libp2p itself uses. */
export const measure: Measure = {
  name: 'signatures',
  async run() {
    const seed = new Uint8Array(32).fill(7)
    const message = new Uint8Array(256).fill(9)
    const ours = signerFromSeed(seed)
    const theirs = await generateKeyPairFromSeed('Ed25519', seed)
    const signature = ours.sign(message)

    const time = async (once: () => unknown) => {
      const start = performance.now()
      for (let count = 0; count < SIGNATURES_A_ROUND; count++) await once()
      return performance.now() - start
    }
    const sign = await pairedRatio(
      ROUNDS,
      () => time(() => ours.sign(message)),
      () => time(() => theirs.sign(message))
    )
    const verify = await pairedRatio(
      ROUNDS,
      () => time(() => verifySignature(ours.publicKey, message, signature)),
      () => time(() => theirs.publicKey.verify(message, signature))
    )
    return [
      { measure: 'time to sign 256 B, ours ÷ @libp2p/crypto', value: sign, unit: 'ratio', goal: { atMost: 1 }, rounds: ROUNDS },
      {
        measure: 'time to verify 256 B, ours ÷ @libp2p/crypto',
        value: verify,
        unit: 'ratio',
        goal: { atMost: 1 },
        rounds: ROUNDS,
        note: 'ours also refuses small-order keys'
      }
    ]
  }
}
