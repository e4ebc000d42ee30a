import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dayTimeS, readTestnet, type TestnetDay, type TestnetState, writeTestnet } from './testnet-state.ts'

/** Vehicles for the cars of a testnet, which live through one day. */
export interface Scenario extends Omit<TestnetDay, 'startUnixMs' | 'entrances'> {
  /** What each car's vehicle tells, JSONL. */
  readonly traces: readonly string[]
  /** The policy of every owner, YAML. */
  readonly policy: string
}

/** What a busy core of a desktop draws above idle, W: only an assumption, hence joules are `estimated`. */
export const CORE_WATTS = 10

const TRACE_FILE = 'trace.jsonl'
const POLICY_FILE = 'policy.yaml'

/** Puts a car's trace and policy into its data folder. */
export async function writeVehicle(dataFolder: string, trace: string, policy: string): Promise<void> {
  await mkdir(dataFolder, { recursive: true, mode: 0o700 })
  await writeFile(join(dataFolder, TRACE_FILE), trace, { mode: 0o600 })
  await writeFile(join(dataFolder, POLICY_FILE), policy, { mode: 0o600 })
}

/** The address of a car's vehicle, at the same time of day as all others'. */
export function vehicleOf(dataFolder: string, { speed, fromS, untilS, startUnixMs, epochUnixMs }: TestnetDay): string {
  const options = { speed, fromS, untilS, start: new Date(startUnixMs).toISOString(), epoch: new Date(epochUnixMs).toISOString() }
  return `trace:${join(dataFolder, TRACE_FILE)}?${Object.entries(options)
    .map(pair => pair.join('='))
    .join('&')}`
}

/** Where a car looks for others, any of whom may be away: those 1, 2, 4, 8… places after it, so that few are enough to know all. */
export function entrancesFor({ entrances }: TestnetDay, number: number): string[] {
  const found = new Set<string>()
  for (let step = 1; step < entrances.length; step *= 2) found.add(entrances[(number - 1 + step) % entrances.length]!)
  return [...found]
}

/** Notes that the day went on from a later second; the cars must be told themselves. */
export function skipDay(folder: string, toS: number, nowUnixMs: number): TestnetState {
  const state = readTestnet(folder)
  if (state.day === undefined || dayTimeS(state.day, nowUnixMs) >= toS) return state
  const skipped = { ...state, day: { ...state.day, fromS: toS, startUnixMs: nowUnixMs } }
  writeTestnet(folder, skipped)
  return skipped
}
