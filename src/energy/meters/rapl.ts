import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EnergyMeter } from './meter.ts'
import { readNumber } from './read-number.ts'

/** At 500 W the smallest usual counter, 65 kJ, wraps after 130 s: it is read more often than that. */
const SAMPLE_MS = 20_000
/** A package always draws something; a counter that stands for so long is stuck. */
const STUCK_MS = 30_000

interface Package {
  readonly folder: string
  readonly rangeUj: number
  lastUj: number
  lastMs: number
  movedMs: number
}

/**
 * A meter of Intel's and AMD's RAPL counters (powercap), summed over the packages; null when there are none that may be
 * read (only root may, usually). Subzones and `psys` are left out: they count the same energy again.
 */
export function openRapl(sysfsRoot: string, nowMs: () => number): EnergyMeter | null {
  const packages = findPackages(join(sysfsRoot, 'class/powercap'), nowMs())
  if (packages.length === 0) return null
  let totalUj = 0
  let isBroken = false
  const sample = () => {
    const atMs = nowMs()
    for (const each of packages) {
      const uj = readNumber(join(each.folder, 'energy_uj'))
      if (uj === null || uj > each.rangeUj) {
        isBroken = true
        continue
      }
      if (atMs - each.lastMs > 2 * SAMPLE_MS) isBroken = true
      else totalUj += uj >= each.lastUj ? uj - each.lastUj : each.rangeUj + 1 - each.lastUj + uj
      if (uj !== each.lastUj) each.movedMs = atMs
      each.lastUj = uj
      each.lastMs = atMs
      if (atMs - each.movedMs > STUCK_MS) isBroken = true
    }
  }
  const timer = setInterval(sample, SAMPLE_MS)
  timer.unref()
  return {
    name: 'rapl',
    provenance: 'measured',
    readMj: () => {
      sample()
      const wasBroken = isBroken
      isBroken = false
      return wasBroken ? null : Math.floor(totalUj / 1000)
    },
    stop: () => clearInterval(timer)
  }
}

function findPackages(folder: string, atMs: number): Package[] {
  return entries(folder)
    .filter(name => /^(intel|amd)-rapl:\d+$/.test(name))
    .flatMap(name => {
      const zone = join(folder, name)
      const lastUj = readNumber(join(zone, 'energy_uj'))
      const rangeUj = readNumber(join(zone, 'max_energy_range_uj'))
      if (lastUj === null || rangeUj === null || rangeUj === 0 || lastUj > rangeUj || !nameOf(zone).startsWith('package')) return []
      return [{ folder: zone, rangeUj, lastUj, lastMs: atMs, movedMs: atMs }]
    })
}

function nameOf(zone: string): string {
  try {
    return readFileSync(join(zone, 'name'), 'utf8').trim()
  } catch {
    return ''
  }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
