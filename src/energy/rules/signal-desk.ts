import type { SignalPath, VehicleSignals } from '../../protocol/vehicle/signals.ts'
import { readSignal, type SignalClocks, type SignalTrouble, type ValueOf } from './read-signals.ts'
import { type FitnessReason, sudden } from './reason.ts'
import { SIGNAL_FACTS } from './signal-facts.ts'

/** Hands out the signals that can be believed, and gathers why the others can't: each is named once. */
export interface SignalDesk {
  /** A signal that must be there. */
  readonly need: <Path extends SignalPath>(path: Path) => ValueOf<Path> | undefined
  /** A signal that not every vehicle has: it may be missing, but if it is told, it must be right. */
  readonly ask: <Path extends SignalPath>(path: Path) => ValueOf<Path> | undefined
  readonly reasons: () => readonly FitnessReason[]
}

export function openSignalDesk(signals: VehicleSignals, clocks: SignalClocks): SignalDesk {
  const troubles = new Map<SignalPath, FitnessReason>()
  const read = <Path extends SignalPath>(path: Path, isNeeded: boolean): ValueOf<Path> | undefined => {
    const word = readSignal(signals, path, clocks)
    if ('value' in word) return word.value
    if (word.trouble !== 'missing' || isNeeded) troubles.set(path, reasonOf(path, word.trouble))
    return undefined
  }
  return { need: path => read(path, true), ask: path => read(path, false), reasons: () => [...troubles.values()] }
}

function reasonOf(path: SignalPath, trouble: SignalTrouble): FitnessReason {
  const { words } = SIGNAL_FACTS[path]
  if (trouble === 'missing') return sudden('signal-missing', `the car doesn’t tell ${words}`)
  if (trouble === 'stale') return sudden('signal-stale', `the car hasn’t told ${words} for too long`)
  if (trouble === 'invalid') return sudden('signal-invalid', `the car tells nothing sensible about ${words}`)
  return sudden('clock-wrong', `${words} comes from the future, so a clock is wrong`)
}
