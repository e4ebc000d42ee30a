/** Signs with one Ed25519 key that it keeps to itself. */
export interface Signer {
  /** The raw public key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** An Ed25519 signature (RFC 8032), 64 bytes. */
  sign: (message: Uint8Array) => Uint8Array
}

/** Where time comes from, so that steps run under a virtual clock. */
export interface Clock {
  /** Milliseconds that only rise; for durations. */
  readonly monotonicMs: () => number
  /** Milliseconds since 1970 UTC; for what is signed. */
  readonly unixMs: () => number
}
