import type { VehicleSignals } from '../protocol/vehicle/signals.ts'

/** What a source can say of itself. `live`: signals come in; `lost`: it tries to get them again, and what it told grows old. */
export type VehicleSourceState = 'live' | 'lost' | 'ended'

/**
 * Where a car's state comes from: a KUKSA databroker, Tesla's fleet telemetry, a trace file, or the person at the keyboard.
 * A source never invents: what it doesn't know is missing, and what it has lost grows old.
 */
export interface VehicleSource {
  readonly name: 'kuksa' | 'tesla' | 'trace' | 'manual'
  readonly state: () => VehicleSourceState
  /** Why it isn't live, in words; undefined when it is. */
  readonly trouble: () => string | undefined
  readonly signals: () => VehicleSignals
  /** Calls back after signals or the state changed; returns what ends it. */
  readonly onChange: (listener: () => void) => () => void
  /** Ends connections and timers; no callback comes after it resolves. */
  readonly stop: () => Promise<void>
}
