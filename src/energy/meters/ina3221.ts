import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EnergyMeter } from './meter.ts'
import { meterFromPower } from './power-sampler.ts'
import { readNumber } from './read-number.ts'

const CHANNELS = [1, 2, 3] as const
/** Readings jitter in their last digit; ones that all stay the same for so long are stuck. */
const STUCK_MS = 120_000
/** The rail that the whole board hangs on; the others are parts of it. */
const WHOLE_BOARD = /^(VDD_IN|VIN_SYS_5V0|POM_5V_IN)$/

interface Rail {
  readonly millivolts: string
  readonly milliamperes: string
  readonly label: string
}

/** A meter of an INA3221 as on Jetson boards (hwmon): millivolts times milliamperes of the board's rail, or of all rails; null when there is none. */
export function openIna3221(sysfsRoot: string, nowMs: () => number, sampleMs?: number): EnergyMeter | null {
  const found = findRails(join(sysfsRoot, 'class/hwmon'))
  const whole = found.filter(({ label }) => WHOLE_BOARD.test(label))
  const rails = whole.length > 0 ? whole : found
  let seen = { text: '', sinceMs: nowMs() }
  const readWatts = () => {
    const readings = rails.map(rail => ({ millivolts: readNumber(rail.millivolts), milliamperes: readNumber(rail.milliamperes) }))
    const text = JSON.stringify(readings)
    if (text !== seen.text) seen = { text, sinceMs: nowMs() }
    if (nowMs() - seen.sinceMs > STUCK_MS) return null
    let watts = 0
    for (const { millivolts, milliamperes } of readings) {
      if (millivolts === null || milliamperes === null) return null
      watts += (millivolts * milliamperes) / 1e6
    }
    return watts > 0 ? watts : null
  }
  return rails.length === 0 || readWatts() === null ? null : meterFromPower('ina3221', { readWatts, nowMs, sampleMs })
}

function findRails(folder: string): Rail[] {
  return attempt(() => readdirSync(folder), []).flatMap(device => {
    const path = join(folder, device)
    if (attempt(() => readFileSync(join(path, 'name'), 'utf8').trim(), '') !== 'ina3221') return []
    return CHANNELS.flatMap(channel => {
      const rail = {
        millivolts: join(path, `in${channel}_input`),
        milliamperes: join(path, `curr${channel}_input`),
        label: attempt(() => readFileSync(join(path, `in${channel}_label`), 'utf8').trim(), '')
      }
      return readNumber(rail.millivolts) === null || readNumber(rail.milliamperes) === null ? [] : [rail]
    })
  })
}

function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch {
    return otherwise
  }
}
