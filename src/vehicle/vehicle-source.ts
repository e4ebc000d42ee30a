import type { Clock } from '../protocol/signer.ts'
import type { VehicleSignals } from '../protocol/vehicle/signals.ts'

/** What a source can say of itself. `live`: signals come in; `lost`: it tries to get them again, and what it told grows old. */
export type VehicleSourceState = 'live' | 'lost' | 'ended'

/**
 * Where a car's state comes from: a KUKSA databroker, Tesla's fleet telemetry, a trace file, or the person at the keyboard.
 * A source never invents: what it doesn't know is missing, and what it has lost grows old. While it knows that its values
 * still hold, it stamps them anew about every second; so a reading's age says how long ago anybody vouched for it.
 */
export interface VehicleSource {
  readonly name: 'kuksa' | 'tesla' | 'trace' | 'manual'
  readonly state: () => VehicleSourceState
  /** What is wrong, in words: why it isn't live, or which signals came in a form that can't be used; undefined when all is well. */
  readonly trouble: () => string | undefined
  /** A snapshot: later changes come in a new map. */
  readonly signals: () => VehicleSignals
  /** Calls back after signals or the state changed; returns what ends it. */
  readonly onChange: (listener: () => void) => () => void
  /** Ends connections and timers; no callback comes after it resolves. The state stays `ended`. */
  readonly stop: () => Promise<void>
}

/** What a source takes from around it, so that tests can give their own. */
export interface SourceSurroundings {
  readonly clock: Clock
  /** From 0 up to 1; spreads out when peers come back to a broker. */
  readonly random: () => number
}

export const SYSTEM_SURROUNDINGS: SourceSurroundings = {
  clock: { monotonicMs: () => performance.now(), unixMs: () => Date.now() },
  random: () => Math.random()
}

/** How often a source that knows that its values still hold stamps them anew, ms. */
export const REFRESH_MS = 1000
