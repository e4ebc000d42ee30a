import { z } from 'zod'
import { MotorpoolError } from '../protocol/errors.ts'

/** How much CO2 a grid emits for a kWh at one time. Average and marginal figures answer different questions and are never mixed. */
export interface GridIntensity {
  readonly gramsPerKwh: number
  readonly kind: 'average' | 'marginal'
  /** The time that the figure holds for, ms since 1970 UTC. */
  readonly atUnixMs: number
  /** Whether it is a forecast or a model's estimate instead of a measured figure. */
  readonly isEstimated: boolean
}

/** A figure holds for half an hour or an hour, and comes late, ms. */
const HOLDS_MS = 2 * 3_600_000

/** Whether a figure still, or already, says what the grid emits at a time. */
export function isPresent({ atUnixMs }: GridIntensity, nowUnixMs: number): boolean {
  return Math.abs(nowUnixMs - atUnixMs) <= HOLDS_MS
}

export type IntensityFormat = 'gb' | 'electricity-maps' | 'plain'

const grams = z.number().min(0).max(5000)
/** ISO 8601 with its zone; GB's leave the seconds out. */
const moment = z
  .string()
  .regex(/T\d\d:\d\d.*(Z|[+-]\d\d:?\d\d)$/, 'must be a time with its zone')
  .transform((text, context) => {
    const unixMs = Date.parse(text)
    if (Number.isNaN(unixMs)) context.addIssue({ code: 'custom', message: 'must be a time' })
    return unixMs
  })

const FORMATS = {
  /** https://carbon-intensity.github.io/api-definitions/: `GET /intensity`; `actual` is null until it is measured. */
  gb: z
    .object({ data: z.array(z.object({ from: moment, intensity: z.object({ forecast: grams.nullable(), actual: grams.nullable() }) })).min(1) })
    .transform(({ data }, context): GridIntensity => {
      const { from, intensity } = data.at(-1)!
      const gramsPerKwh = intensity.actual ?? intensity.forecast
      if (gramsPerKwh === null) context.addIssue({ code: 'custom', message: 'has neither a measured figure nor a forecast' })
      return { gramsPerKwh: gramsPerKwh ?? 0, kind: 'average', atUnixMs: from, isEstimated: intensity.actual === null }
    }),
  /** Electricity Maps `/v3/carbon-intensity/latest`. */
  'electricity-maps': z
    .object({ carbonIntensity: grams, datetime: moment, isEstimated: z.boolean().default(false) })
    .transform(
      ({ carbonIntensity, datetime, isEstimated }): GridIntensity => ({ gramsPerKwh: carbonIntensity, kind: 'average', atUnixMs: datetime, isEstimated })
    ),
  /** A file of the owner's: `{"gramsPerKwh": 250, "kind": "average", "at": "2026-01-01T12:00Z"}`. */
  plain: z
    .strictObject({ gramsPerKwh: grams, kind: z.enum(['average', 'marginal']), at: moment, isEstimated: z.boolean().default(false) })
    .transform(({ at, ...rest }): GridIntensity => ({ ...rest, atUnixMs: at }))
} as const satisfies Record<IntensityFormat, z.ZodType<GridIntensity>>

/** Reads an intensity from a JSON value in one of the formats. Throws `ERR_CARBON_INTENSITY` naming what doesn't fit. */
export function parseIntensity(format: IntensityFormat, value: unknown): GridIntensity {
  const parsed = FORMATS[format].safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new MotorpoolError(
    'ERR_CARBON_INTENSITY',
    `this is no carbon intensity of the format ${format}, ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}; check the source`
  )
}

/** What the device's making emitted, and the share of it that a task takes. */
export interface EmbodiedCarbon {
  /** TE, g. */
  readonly totalGrams: number
  /** EL, hours. */
  readonly lifetimeHours: number
  /** RR ÷ ToR: the share of the device that the task reserves, 0 to 1. */
  readonly resourceShare: number
}

/**
 * Software carbon intensity of one task, g: (E × I) + M, with M = TE × TiR ÷ EL × RR ÷ ToR (ISO/IEC 21031:2024; R is one
 * task). It stays in the owner's own report: a grid's intensity names the place.
 */
export function sciPerTask(
  task: { readonly energyMj: number; readonly ranMs: number },
  intensity: GridIntensity,
  embodied: EmbodiedCarbon
): { readonly grams: number; readonly kind: GridIntensity['kind'] } {
  const operational = (task.energyMj / 3.6e9) * intensity.gramsPerKwh
  const making = embodied.totalGrams * (task.ranMs / 3.6e6 / embodied.lifetimeHours) * embodied.resourceShare
  return { grams: operational + making, kind: intensity.kind }
}
