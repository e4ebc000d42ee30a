export type FitnessCode =
  | 'not-opted-in'
  | 'signal-missing'
  | 'signal-stale'
  | 'signal-invalid'
  | 'signals-contradict'
  | 'clock-wrong'
  | 'moving'
  | 'not-in-park'
  | 'switched-on'
  | 'door-open'
  | 'unlocked'
  | 'occupied'
  | 'unplugged'
  | 'below-floor'
  | 'contract'
  | 'energy-cap'
  | 'data-cap'
  | 'battery-cold'
  | 'battery-hot'
  | 'computer-hot'
  | 'low-voltage'
  | 'offline'
  | 'quiet-hours'
  | 'carbon'

export interface FitnessReason {
  readonly code: FitnessCode
  /** In words that an owner understands, e.g. `the driver’s door is open`. */
  readonly text: string
  /** Whether it could be seen coming, so that the car should have drained before; otherwise it must leave at once. */
  readonly planned: boolean
}

/** A reason that nobody could see coming. */
export function sudden(code: FitnessCode, text: string): FitnessReason {
  return { code, text, planned: false }
}

/** A reason that `plannedDeparture` foretells. */
export function planned(code: FitnessCode, text: string): FitnessReason {
  return { code, text, planned: true }
}
