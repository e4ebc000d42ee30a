import { setTimeout as delay } from 'node:timers/promises'
import { BACK_OFF, type BackOff, nextRetry } from './back-off.ts'
import type { SourceSurroundings } from './vehicle-source.ts'

export interface Connector {
  /** Connects, calls `onLive` once that works, and stays until it ends; resolves with why, or throws it. Aborting ends it at once. */
  readonly connect: (signal: AbortSignal, onLive: () => void) => Promise<string>
  readonly onLost: (why: string) => void
  readonly backOff?: BackOff
}

/** Connects again and again until it is stopped. */
export function keepConnected({ connect, onLost, backOff = BACK_OFF }: Connector, { clock, random }: SourceSurroundings): { stop: () => Promise<void> } {
  const stopping = new AbortController()
  const { signal } = stopping
  const run = async (): Promise<void> => {
    let failures = 0
    while (!signal.aborted) {
      let liveSinceMs: number | undefined
      const onLive = () => {
        liveSinceMs ??= clock.monotonicMs()
      }
      const why = await connect(signal, onLive).catch(error => (error instanceof Error ? error.message : String(error)))
      if (signal.aborted) return
      const retry = nextRetry(failures, liveSinceMs === undefined ? 0 : clock.monotonicMs() - liveSinceMs, random(), backOff)
      failures = retry.failures
      onLost(why)
      await delay(retry.delayMs, undefined, { signal }).catch(() => {})
    }
  }
  const running = run()
  return {
    stop: async () => {
      stopping.abort()
      await running
    }
  }
}
