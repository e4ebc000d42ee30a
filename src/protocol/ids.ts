/** A libp2p peer id in its base58btc text form (`12D3Koo…`): a peer key, fresh at every join of a car. */
export type PeerId = string & { readonly brand: 'PeerId' }

/** CIDv1 (raw, sha2-256, base32) of a model's signed manifest. */
export type ModelCid = string & { readonly brand: 'ModelCid' }

/** A task's 16 random bytes, as 32 lower-case hex digits. */
export type TaskId = string & { readonly brand: 'TaskId' }

/** A raw Ed25519 account key (32 bytes), as 64 lower-case hex digits. */
export type AccountId = string & { readonly brand: 'AccountId' }

/** sha256 of a signed award, as 64 lower-case hex digits. */
export type LeaseId = string & { readonly brand: 'LeaseId' }

/** Lower-case hex of bytes; the text form of task, account and lease ids. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** Bytes of lower-case hex. */
export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

/** Whether two byte strings are equal. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && Buffer.compare(left, right) === 0
}
