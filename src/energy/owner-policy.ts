import { z } from 'zod'
import { type LineOf, type PolicyPath, type PolicyProblem, policyError, problemsOf, readYaml } from './policy/policy-problem.ts'
import { policySchema } from './policy/policy-schema.ts'

/** What a car's owner allows, with every default filled in. docs/policy.md tells what each key means. */
export type OwnerPolicy = z.infer<typeof policySchema>

/** What holds where the owner says nothing: not opted in, plugged in only, only models that the owner published. */
export const DEFAULT_POLICY: OwnerPolicy = policySchema.parse({})

const DAY_MINUTES = 24 * 60

/**
 * Reads a policy file's text (YAML 1.2), or a value such as one. Throws `ERR_BAD_POLICY` that names key and line:
 * unknown keys with the one that was probably meant, values out of bounds, and keys that contradict each other.
 */
export function parsePolicy(source: unknown): OwnerPolicy {
  const { value, lineOf } = typeof source === 'string' ? readYaml(source) : { value: source, lineOf: () => undefined }
  const parsed = policySchema.safeParse(value)
  if (!parsed.success) throw policyError(problemsOf(parsed.error, keysAt), lineOf)
  refuseContradictions(parsed.data, lineOf)
  return parsed.data
}

/** The keys that may stand at a path. */
export function keysAt(path: PolicyPath): readonly string[] {
  let schema: z.ZodType = policySchema
  for (const step of path) {
    schema = unwrapped(schema)
    if (schema instanceof z.ZodObject) schema = (schema.shape as Record<string, z.ZodType>)[String(step)] ?? z.unknown()
    else if (schema instanceof z.ZodArray) schema = schema.element as z.ZodType
  }
  const last = unwrapped(schema)
  return last instanceof z.ZodObject ? Object.keys(last.shape) : []
}

function unwrapped(schema: z.ZodType): z.ZodType {
  let inner = schema
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault || inner instanceof z.ZodNullable) inner = inner.unwrap() as z.ZodType
  return inner
}

function refuseContradictions(policy: OwnerPolicy, lineOf: LineOf): void {
  const { battery, contract, quietHours, temperature, network, timeZone } = policy
  const problems: PolicyProblem[] = []
  const refuse = (path: PolicyPath, text: string) => problems.push({ path, text })
  if (battery.floorPercent >= battery.chargeLimitPercent)
    refuse(
      ['battery', 'floorPercent'],
      `battery.floorPercent, ${battery.floorPercent}, must be below battery.chargeLimitPercent, ${battery.chargeLimitPercent}`
    )
  if (contract !== null && contract.percent > battery.chargeLimitPercent)
    refuse(
      ['contract', 'percent'],
      `contract.percent, ${contract.percent}, is above battery.chargeLimitPercent, ${battery.chargeLimitPercent}, and can never be reached`
    )
  if (timeZone === null && (contract !== null || quietHours.length > 0))
    refuse(contract !== null ? ['contract', 'readyAt'] : ['quietHours'], 'local times need timeZone, such as Europe/Berlin')
  if (quietMinutes(quietHours) >= DAY_MINUTES) refuse(['quietHours'], 'quietHours cover the whole day, so the car could never work')
  const { batteryMinCelsius, batteryMaxCelsius } = temperature
  if (batteryMinCelsius !== null && batteryMaxCelsius !== null && batteryMinCelsius >= batteryMaxCelsius)
    refuse(['temperature', 'batteryMinCelsius'], `temperature.batteryMinCelsius, ${batteryMinCelsius}, must be below batteryMaxCelsius, ${batteryMaxCelsius}`)
  if (network.metered && network.megabytesPerDay === null) refuse(['network', 'metered'], 'a metered network needs network.megabytesPerDay')
  if (problems.length > 0) throw policyError(problems, lineOf)
}

/** Minutes of the day that are in any of the windows; one that ends where it begins covers all. */
function quietMinutes(windows: OwnerPolicy['quietHours']): number {
  const quiet = new Set<number>()
  for (const { from, to } of windows) {
    const start = minuteOf(from)
    const length = (minuteOf(to) - start + DAY_MINUTES) % DAY_MINUTES || DAY_MINUTES
    for (let minute = 0; minute < length; minute++) quiet.add((start + minute) % DAY_MINUTES)
  }
  return quiet.size
}

function minuteOf(time: string): number {
  const [hour = 0, minute = 0] = time.split(':').map(Number)
  return hour * 60 + minute
}
