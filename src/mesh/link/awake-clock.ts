/** Milliseconds in which this process could listen. */
export interface AwakeClock {
  readonly now: () => number
  /** To be called every `intervalMs`; lateness shows how long the process was held up. */
  readonly tick: () => void
}

/**
 * A clock that stands still while the process is held up (stopped, asleep, or computing): what others sent meanwhile waits
 * in the socket, so their silence can't be told from ours.
 */
export function createAwakeClock(intervalMs: number, monotonicMs: () => number = () => performance.now()): AwakeClock {
  const mostMs = 2 * intervalMs
  let tickedAt = monotonicMs()
  let heldUpMs = 0
  return {
    now: () => tickedAt - heldUpMs + Math.min(monotonicMs() - tickedAt, mostMs),
    tick: () => {
      const at = monotonicMs()
      heldUpMs += Math.max(0, at - tickedAt - mostMs)
      tickedAt = at
    }
  }
}
