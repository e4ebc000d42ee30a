import type { Clock } from '../protocol/signer.ts'
import type { SignalPath, SignalReading, VehicleSignals } from '../protocol/vehicle/signals.ts'
import { checkSignalValue } from './signal-value.ts'
import type { VehicleSource, VehicleSourceState } from './vehicle-source.ts'

/** One signal as a source has it: unchecked. */
export interface ToldSignal {
  readonly path: SignalPath
  readonly value: unknown
  readonly statedUnixMs?: number
  /** What already went wrong before there was a value. */
  readonly problem?: string
}

/** What a source has told so far; every kind of source writes on one and shows it to whoever asks. */
export interface SignalBoard {
  /** The half of a `VehicleSource` that is the same for all. */
  readonly face: Pick<VehicleSource, 'state' | 'trouble' | 'signals' | 'onChange'>
  /** Writes readings that arrive now, and calls back once; with `fresh`, all that was told before is forgotten. */
  readonly tell: (told: Iterable<ToldSignal>, how?: { readonly fresh?: boolean; readonly state?: VehicleSourceState }) => void
  /** The readings still hold: they arrive anew. */
  readonly confirm: () => void
  /** Forgets problems and sets the state; `why` is for the owner. Readings stay, and grow old. */
  readonly become: (state: VehicleSourceState, why?: string) => void
  /** Something is wrong though the state stays. */
  readonly note: (problem: string | undefined) => void
  /** Ends it: no listener is called any more. */
  readonly close: () => void
}

export function createSignalBoard(clock: Clock, first: { readonly state: VehicleSourceState; readonly why?: string }): SignalBoard {
  let { state, why } = first
  let readings: VehicleSignals = new Map()
  let problems: ReadonlyMap<SignalPath, string> = new Map()
  let noted: string | undefined
  let isClosed = false
  const listeners = new Set<() => void>()
  const changed = () => {
    for (const listener of [...listeners]) if (listeners.has(listener)) listener()
  }

  return {
    face: {
      state: () => state,
      trouble: () => {
        const all = [why, noted, ...problems.values()].filter(text => text !== undefined)
        return all.length === 0 ? undefined : all.join('; ')
      },
      signals: () => readings,
      onChange: listener => {
        // A listener of its own each time, so that one function given twice is ended once by each.
        const own = () => listener()
        if (!isClosed) listeners.add(own)
        return () => listeners.delete(own)
      }
    },
    tell: (told, how = {}) => {
      if (isClosed) return
      const arrivedMs = clock.monotonicMs()
      const nextReadings = new Map<SignalPath, SignalReading>(how.fresh === true ? [] : readings)
      const nextProblems = new Map(how.fresh === true ? [] : problems)
      for (const { path, value, statedUnixMs, problem } of told) {
        const checked = problem === undefined ? checkSignalValue(path, value) : { value: null, problem }
        nextReadings.set(path, { value: checked.value, arrivedMs, ...(statedUnixMs === undefined ? {} : { statedUnixMs }) })
        if (checked.problem === undefined) nextProblems.delete(path)
        else nextProblems.set(path, checked.problem)
      }
      readings = nextReadings
      problems = nextProblems
      if (how.state !== undefined) [state, why] = [how.state, undefined]
      changed()
    },
    confirm: () => {
      if (isClosed || readings.size === 0) return
      const arrivedMs = clock.monotonicMs()
      readings = new Map([...readings].map(([path, reading]) => [path, { ...reading, arrivedMs }]))
      changed()
    },
    become: (next, text) => {
      if (isClosed || (state === next && why === text)) return
      state = next
      why = text
      if (next !== 'live') problems = new Map()
      changed()
    },
    note: problem => {
      if (isClosed || noted === problem) return
      noted = problem
      changed()
    },
    close: () => {
      isClosed = true
      state = 'ended'
      why = 'it was stopped'
      listeners.clear()
    }
  }
}
