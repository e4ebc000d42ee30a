import { IANAZone } from 'luxon'
import { z } from 'zod'

const percent = z.number().min(0).max(100)
const localTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a local time such as "07:30"')
const hexKey = z.string().regex(/^[0-9a-f]{64}$/, 'must be a public key of 64 hex digits')

/** Local times of the policy's zone; a window may go over midnight. */
const quietWindow = z.strictObject({ from: localTime, to: localTime })

const battery = z.strictObject({
  pluggedInOnly: z.boolean().default(true),
  // Enough to reach a charger from nearly everywhere, also in winter.
  floorPercent: percent.default(30),
  chargeLimitPercent: percent.default(100),
  capacityKwh: z.number().positive().max(1000).nullable().default(null),
  // A household socket, the slowest of chargers: a contract that counts on it is kept by every other.
  chargePowerWatts: z.number().positive().max(400_000).default(2000),
  // The most that a car's computer is assumed to draw.
  workPowerWatts: z.number().positive().max(5000).default(1000),
  workKwhPerDay: z.number().positive().max(1000).nullable().default(10)
})

const contract = z.strictObject({ readyAt: localTime, percent, marginMinutes: z.number().min(0).max(720).default(15) })

const temperature = z.strictObject({
  batteryMinCelsius: z.number().min(-60).max(60).nullable().default(0),
  batteryMaxCelsius: z.number().min(-20).max(80).nullable().default(40),
  computerMaxCelsius: z.number().min(0).max(120).nullable().default(80)
})

const parked = z.strictObject({
  lockedDoors: z.boolean().default(true),
  emptySeats: z.boolean().default(true),
  // A lead battery at rest is half empty at about 12.2 V.
  minimumVolts: z.number().min(0).max(60).nullable().default(12.2)
})

const network = z.strictObject({
  metered: z.boolean().default(false),
  megabytesPerDay: z.number().positive().max(10_000_000).nullable().default(2000)
})

const price = z.strictObject({
  unit: z
    .string()
    .regex(/^[A-Z]{3}$/, 'must be three capital letters such as EUR')
    .default('EUR'),
  electricityPerKwh: z.number().min(0).max(1000).default(0.3),
  // Between new and worn packs, and cheap and dear ones.
  wearPerKwh: z.number().min(0.005).max(0.09).default(0.05),
  marginPercent: z.number().min(0).max(10_000).default(20)
})

const carbon = z.strictObject({
  ceilingGramsPerKwh: z.number().positive().max(5000).nullable().default(null),
  kind: z.enum(['average', 'marginal']).default('average'),
  embodied: z
    .strictObject({ kilograms: z.number().min(0).max(100_000), lifetimeYears: z.number().min(0.1).max(100) })
    .nullable()
    .default(null)
})

/** An owner's policy as the file holds it; every key may be left out. docs/policy.md tells what each means. */
export const policySchema = z.strictObject({
  optedIn: z.boolean().default(false),
  timeZone: z
    .string()
    .refine(zone => IANAZone.isValidZone(zone), 'must be an IANA time zone such as Europe/Berlin')
    .nullable()
    .default(null),
  battery: battery.prefault({}),
  contract: contract.nullable().default(null),
  quietHours: z.array(quietWindow).max(16).default([]),
  temperature: temperature.prefault({}),
  parked: parked.prefault({}),
  network: network.prefault({}),
  price: price.prefault({}),
  carbon: carbon.prefault({}),
  allow: z.union([z.literal('anyone'), z.array(hexKey).max(1000)], 'must be anyone, or a list of account keys of 64 hex digits').default('anyone'),
  models: z
    .array(z.string().regex(/^b[a-z2-7]{50,70}$/, 'must be a model CID (b…)'))
    .max(1000)
    .default([]),
  publishers: z.array(hexKey).max(1000).default([])
})
