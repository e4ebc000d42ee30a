import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EnergyMeter } from './meter.ts'

/** Linux tells CPU time in hundredths of a second (USER_HZ) whatever its own tick is. */
const MS_PER_TICK = 10

/** CPU time that a process has used so far, user and system, ms; null when it is gone. */
export function cpuTimeMs(procRoot: string, processId: number): number | null {
  try {
    const stat = readFileSync(join(procRoot, String(processId), 'stat'), 'utf8')
    // The name in parentheses may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ticks = Number(fields[11]) + Number(fields[12])
    return Number.isFinite(ticks) && ticks >= 0 ? ticks * MS_PER_TICK : null
  } catch {
    return null
  }
}

export interface CpuTimeOptions {
  readonly procRoot: string
  readonly processIds: () => readonly number[]
  readonly wattsPerCore: number
  /** What the computer draws without work, W. */
  readonly idleWatts: number
  readonly nowMs: () => number
}

/** An estimate: the processes' CPU time at a busy core's power, on top of the idle draw. A process that ended keeps what was last seen of it. */
export function openCpuTime({ procRoot, processIds, wattsPerCore, idleWatts, nowMs }: CpuTimeOptions): EnergyMeter {
  const startMs = nowMs()
  const last = new Map<number, number>()
  for (const id of processIds()) last.set(id, cpuTimeMs(procRoot, id) ?? 0)
  let busyMs = 0
  return {
    name: 'cpu-time',
    provenance: 'estimated',
    readMj: () => {
      const ids = processIds()
      for (const id of ids) {
        const now = cpuTimeMs(procRoot, id)
        if (now === null) continue
        // A smaller figure is another process that was given the same id.
        const before = last.get(id) ?? 0
        busyMs += now >= before ? now - before : now
        last.set(id, now)
      }
      for (const id of last.keys()) if (!ids.includes(id)) last.delete(id)
      return Math.round(busyMs * wattsPerCore + (nowMs() - startMs) * idleWatts)
    },
    stop: () => undefined
  }
}
