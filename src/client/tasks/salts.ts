const SALT_BYTES = 32
/** Each call of the system's generator costs far more than the bytes that it gives. */
const DRAWN_AT_ONCE = 128

/** Draws salts of 32 fresh random bytes, each given out once. */
export function createSalts(randomBytes: (length: number) => Uint8Array): () => Uint8Array {
  let drawn = new Uint8Array(0)
  let at = 0
  return () => {
    if (at === drawn.length) {
      drawn = new Uint8Array(randomBytes(SALT_BYTES * DRAWN_AT_ONCE))
      at = 0
    }
    at += SALT_BYTES
    // On memory of its own, so that who gets one can't reach the others.
    return drawn.slice(at - SALT_BYTES, at)
  }
}
