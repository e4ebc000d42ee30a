import type { SignalPath, SignalValue } from '../protocol/vehicle/signals.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SignalChanges, TraceTimeline } from './trace-timeline.ts'

/** How a vehicle's bus lies: values go missing, flicker, become no number, or contradict each other. */
const KINDS = ['dropout', 'flicker', 'not-a-number', 'contradiction'] as const

const DROPPED: readonly SignalPath[] = [
  'Vehicle.IsMoving',
  'Vehicle.Speed',
  'Vehicle.Powertrain.Transmission.SelectedGear',
  'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current',
  'Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected'
]
const FLICKERING: readonly SignalPath[] = [
  'Vehicle.IsMoving',
  'Vehicle.Cabin.Door.Row1.PassengerSide.IsOpen',
  'Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected',
  'Vehicle.Connectivity.IsConnectivityAvailable'
]
const NUMBERS: readonly SignalPath[] = ['Vehicle.Speed', 'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current', 'Vehicle.LowVoltageBattery.CurrentVoltage']
/** Each contradicts a car that is parked and not plugged in. */
const CONTRADICTIONS: readonly SignalChanges[] = [
  { 'Vehicle.Speed': 3 },
  { 'Vehicle.Powertrain.TractionBattery.Charging.IsCharging': true },
  { 'Vehicle.Powertrain.Transmission.SelectedGear': -1 },
  { 'Vehicle.LowVoltageSystemState': 'START' }
]
/** Between two glitches that touch one signal; else the first would restore what the second broke. */
const APART_S = 30

/**
 * Puts a glitch at a random moment. The signals say the truth again within 3 minutes; one that the truth changes
 * meanwhile is left alone.
 */
export function addGlitch(timeline: TraceTimeline, random: SeededRandom, fromS: number, untilS: number): void {
  const kind = pick(random, KINDS)
  const at = Math.round(random.between(fromS, untilS - 200))
  const lasts = Math.round(random.between(5, 180))
  switch (kind) {
    case 'dropout':
      return breakSignals(timeline, Object.fromEntries(DROPPED.filter(() => random.chance(0.6)).map(path => [path, null])), at, lasts)
    case 'flicker':
      return flicker(timeline, pick(random, FLICKERING), at, 3 + Math.floor(random.uniform() * 5))
    // JSON has no NaN, so that sources which gather into JSON write it as text.
    case 'not-a-number':
      return breakSignals(timeline, { [pick(random, NUMBERS)]: 'NaN' }, at, lasts)
    case 'contradiction':
      return breakSignals(timeline, pick(random, CONTRADICTIONS), at, lasts)
  }
}

function breakSignals(timeline: TraceTimeline, wrong: SignalChanges, atS: number, lastsS: number): void {
  for (const [path, value] of Object.entries(wrong) as [SignalPath, SignalValue | null][]) {
    const truth = truthThroughout(timeline, path, atS, atS + lastsS)
    if (truth === undefined) continue
    timeline.set(atS, { [path]: value })
    timeline.set(atS + lastsS, { [path]: truth })
  }
}

function flicker(timeline: TraceTimeline, path: SignalPath, atS: number, times: number): void {
  const truth = truthThroughout(timeline, path, atS, atS + 2 * times)
  if (typeof truth !== 'boolean') return
  for (let time = 0; time < times; time++) {
    timeline.set(atS + 2 * time, { [path]: !truth })
    timeline.set(atS + 2 * time + 1, { [path]: truth })
  }
}

/** A signal's value when it is known and doesn't change around that time. */
function truthThroughout(timeline: TraceTimeline, path: SignalPath, fromS: number, untilS: number): SignalValue | undefined {
  return timeline.changesWithin(path, fromS - APART_S, untilS + APART_S) ? undefined : (timeline.valueAt(path, fromS) ?? undefined)
}

function pick<T>(random: SeededRandom, choices: readonly T[]): T {
  return choices[Math.floor(random.uniform() * choices.length)]!
}
