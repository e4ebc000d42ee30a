/** How long to wait between attempts to connect, ms. */
export interface BackOff {
  readonly firstMs: number
  readonly mostMs: number
  /** A connection that held this long counts as sound: the next wait is short again. */
  readonly soundMs: number
}

/** A broker on the car's own computer restarts within seconds; half a minute at most keeps a parked car from waiting long. */
export const BACK_OFF: BackOff = { firstMs: 250, mostMs: 30_000, soundMs: 10_000 }

export interface Retry {
  /** Failures in a row, this one included. */
  readonly failures: number
  readonly delayMs: number
}

/**
 * What follows when a connection ended or was never made: waits double from `firstMs` to `mostMs`, each drawn from the upper
 * half of its range so that many cars don't come back at once. A connection that ends soon after it began counts as a failure
 * too: else a broker that accepts and hangs up would be dialled without pause.
 */
export function nextRetry(failures: number, livedMs: number, random: number, backOff: BackOff = BACK_OFF): Retry {
  const inRow = livedMs >= backOff.soundMs ? 1 : failures + 1
  const wholeMs = Math.min(backOff.mostMs, backOff.firstMs * 2 ** Math.min(inRow - 1, 30))
  return { failures: inRow, delayMs: (wholeMs * (1 + random)) / 2 }
}
