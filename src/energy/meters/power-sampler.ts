import type { EnergyMeter } from './meter.ts'

/** A power that jumps is caught within this; half of it is the error's length. */
const SAMPLE_MS = 250
/** A pause this long (the computer slept, the reader hung) can't be filled in. */
const GAP_MS = 10_000

/** Makes a meter of a power that can be read now: samples it and adds up, trapezoid by trapezoid. */
export function meterFromPower(
  name: EnergyMeter['name'],
  options: { readonly readWatts: () => number | null; readonly nowMs: () => number; readonly sampleMs?: number }
): EnergyMeter {
  const { readWatts, nowMs, sampleMs = SAMPLE_MS } = options
  let last = { watts: plausible(readWatts()), atMs: nowMs() }
  let totalMj = 0
  /** Counts what couldn't be read, so that a reading after it isn't compared with one before. */
  let gaps = 0
  const sample = (): number | null => {
    const watts = plausible(readWatts())
    const atMs = nowMs()
    const lengthMs = atMs - last.atMs
    if (watts === null || last.watts === null || lengthMs < 0 || lengthMs > GAP_MS) gaps++
    else totalMj += ((watts + last.watts) / 2) * lengthMs
    last = { watts, atMs }
    return watts
  }
  const timer = setInterval(sample, sampleMs)
  timer.unref()
  let gapsTold = 0
  return {
    name,
    provenance: 'measured',
    readMj: () => {
      const watts = sample()
      const isBroken = watts === null || gaps > gapsTold
      gapsTold = gaps
      return isBroken ? null : Math.round(totalMj)
    },
    stop: () => clearInterval(timer)
  }
}

function plausible(watts: number | null): number | null {
  return watts !== null && watts >= 0 && watts < 100_000 ? watts : null
}
