import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { TaskEnergy } from '../../energy/task-energy.ts'
import { LOG_FILE } from '../../testnet/car-process.ts'

/** What a car did, as its own log tells it: also after its process was killed. */
export interface CarHistory {
  /** Its comings and goings in order, with the time of day of its vehicle (ISO 8601; empty when it has none). */
  readonly turns: readonly { readonly type: 'joined' | 'left'; readonly reason: string; readonly at: string }[]
  readonly tasks: number
  /** Of all tasks together; no better known than its least known part. */
  readonly energy: TaskEnergy
}

const line = z.discriminatedUnion('type', [
  z.object({ type: z.literal('joined'), why: z.string(), vehicleTime: z.string().optional() }),
  z.object({ type: z.literal('left'), reason: z.string(), vehicleTime: z.string().optional() }),
  z.object({
    type: z.literal('done'),
    energy: z.object({ marginalMj: z.number(), attributedMj: z.number(), by: z.enum(['measured', 'estimated', 'unknown']) })
  })
])

/** Reads the log in a car's data folder; a car that left none did nothing. */
export async function readCarHistory(dataFolder: string): Promise<CarHistory> {
  return historyOf(await readFile(join(dataFolder, LOG_FILE), 'utf8').catch(() => ''))
}

/** Lines of other kinds, and one that was cut off, are passed over. */
export function historyOf(log: string): CarHistory {
  const turns: { type: 'joined' | 'left'; reason: string; at: string }[] = []
  const energies: TaskEnergy[] = []
  for (const text of log.split('\n')) {
    const { data } = line.safeParse(jsonOf(text))
    if (data?.type === 'joined') turns.push({ type: 'joined', reason: data.why, at: data.vehicleTime ?? '' })
    if (data?.type === 'left') turns.push({ type: 'left', reason: data.reason, at: data.vehicleTime ?? '' })
    if (data?.type === 'done') energies.push(data.energy)
  }
  return { turns, tasks: energies.length, energy: sumOf(energies) }
}

function sumOf(energies: readonly TaskEnergy[]): TaskEnergy {
  const by = (['unknown', 'estimated'] as const).find(kind => energies.some(energy => energy.by === kind)) ?? (energies.length === 0 ? 'unknown' : 'measured')
  const sum = (of: (energy: TaskEnergy) => number) => energies.reduce((total, energy) => total + of(energy), 0)
  return { marginalMj: sum(({ marginalMj }) => marginalMj), attributedMj: sum(({ attributedMj }) => attributedMj), by }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
