import { hkdfSync } from 'node:crypto'
import { MotorpoolError } from '../protocol/errors.ts'
import { type Signer, signerFromSeed } from '../protocol/signer.ts'

/**
 * The account under which a car works for one client, so that clients who compare notes can't tell that they met the same
 * car: seed = HKDF-SHA256(device seed, salt: client account, info: "motorpool/car-account/1" ‖ index as u32 big-endian),
 * 32 bytes. `index` is new at each stay until that client's first voucher.
 */
export function carAccountSigner(deviceSeed: Uint8Array, clientAccount: Uint8Array, index: number): Signer {
  if (deviceSeed.length !== 32 || clientAccount.length !== 32)
    throw new MotorpoolError('ERR_ACCOUNT_KEY', 'a device seed and a client account have 32 bytes each; give whole ones')
  const domain = 'motorpool/car-account/1'
  const info = Buffer.alloc(domain.length + 4)
  info.write(domain, 'utf8')
  info.writeUInt32BE(index, domain.length)
  return signerFromSeed(new Uint8Array(hkdfSync('sha256', deviceSeed, clientAccount, info, 32)))
}
