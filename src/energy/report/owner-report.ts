import { type EmbodiedCarbon, type GridIntensity, sciPerTask } from '../carbon.ts'
import type { OwnerPolicy } from '../owner-policy.ts'
import type { EnergyProvenance } from '../task-energy.ts'
import { addToDay, emptyDay, type OwnerDay } from './owner-day.ts'

/** Money in whole units of a currency; null is unknown. */
export interface OwnerReport {
  /** First and last day, ISO dates. */
  readonly from: string
  readonly to: string
  /** Days of these on which the car was on the mesh. */
  readonly daysPresent: number
  readonly hours: number
  readonly stays: number
  readonly tasks: { readonly done: number; readonly failed: number; readonly handedBack: number }
  readonly energy: {
    /** A sum is no better known than its parts; null when nothing ran. */
    readonly by: EnergyProvenance | null
    readonly runs: Readonly<Record<EnergyProvenance, number>>
    readonly marginalKwh: number
    readonly attributedKwh: number
    /** Drawn while waiting for tasks; null when nothing told. */
    readonly idleKwh: number | null
  }
  /** By unit: what receipts say is owed. */
  readonly earned: Readonly<Record<string, number>>
  readonly costs: {
    readonly unit: string
    readonly electricity: number | null
    readonly wear: number | null
    /** Earned in this unit, less both. */
    readonly net: number | null
  }
  /** One for each kind of intensity that was told; they can't be added. */
  readonly carbon: readonly CarbonReport[]
  /** What isn't known, or not counted above, in words. */
  readonly unknown: readonly string[]
}

export interface CarbonReport {
  readonly kind: GridIntensity['kind']
  /** Emitted for `ofKwh`, all energy that an intensity was known for. */
  readonly grams: number
  readonly ofKwh: number
  /** Tasks done whose energy and intensity were known, and those of them with a forecast instead of a measured intensity. */
  readonly tasks: number
  readonly forecastTasks: number
  /** E × I of a task, g; null without tasks. */
  readonly operationalGramsPerTask: number | null
  /** ((E × I) + M) per R, R one task, g; null without tasks, or when M isn't known. */
  readonly sciGramsPerTask: number | null
}

export interface ReportQuestion {
  readonly days: readonly OwnerDay[]
  readonly from: string
  readonly to: string
  readonly policy: Pick<OwnerPolicy, 'price' | 'carbon'>
}

const KWH_MJ = 3.6e9
const YEAR_HOURS = 365.25 * 24

/** The owner's own report over the days from `from` to `to`, both included, at the policy's prices. */
export function ownerReport(question: ReportQuestion): OwnerReport {
  const { days, from, to, policy } = question
  const counted = days.filter(({ day }) => day >= from && day <= to)
  const sum = counted.reduce((total, day) => addToDay(total, day), emptyDay(to))
  const energy = energyOf(sum)
  const isCostUnknown = energy.by === 'unknown' && energy.runs.measured + energy.runs.estimated === 0
  const { unit, electricityPerKwh, wearPerKwh } = policy.price
  const electricity = isCostUnknown ? null : (energy.attributedKwh + (energy.idleKwh ?? 0)) * electricityPerKwh
  const wear = isCostUnknown ? null : (sum.unpluggedMj / KWH_MJ) * wearPerKwh
  const earned = Object.fromEntries(
    Object.entries(sum.earned).flatMap(([each, millionths]) => (millionths === undefined || millionths === 0 ? [] : [[each, millionths / 1e6]]))
  )
  const carbon = carbonOf(sum, policy)
  return {
    from,
    to,
    daysPresent: counted.filter(({ presentMs }) => presentMs > 0).length,
    hours: sum.presentMs / 3.6e6,
    stays: sum.stays,
    tasks: { done: sum.done, failed: sum.failed, handedBack: sum.handedBack },
    energy,
    earned,
    costs: { unit, electricity, wear, net: electricity === null || wear === null ? null : (earned[unit] ?? 0) - electricity - wear },
    carbon,
    unknown: [...unknownEnergy(sum, energy), ...foreignUnits(earned, unit), ...unknownCarbon(sum, energy, carbon, policy)]
  }
}

function energyOf({ runs, idleMj }: OwnerDay): OwnerReport['energy'] {
  const countOf = (by: EnergyProvenance): number => runs[by]?.count ?? 0
  const sumOf = (field: 'marginalMj' | 'attributedMj'): number => Object.values(runs).reduce((sum, run) => sum + run[field], 0) / KWH_MJ
  const worst = (['unknown', 'estimated', 'measured'] as const).find(by => countOf(by) > 0)
  const idle = Object.values(idleMj)
  return {
    by: worst ?? null,
    runs: { measured: countOf('measured'), estimated: countOf('estimated'), unknown: countOf('unknown') },
    marginalKwh: sumOf('marginalMj'),
    attributedKwh: sumOf('attributedMj'),
    idleKwh: idle.length === 0 ? null : idle.reduce((sum, each) => sum + each, 0) / KWH_MJ
  }
}

function carbonOf({ carbon }: OwnerDay, { carbon: { embodied } }: ReportQuestion['policy']): CarbonReport[] {
  const device: EmbodiedCarbon | null =
    // The record counts the time of a task on the whole device, so that it reserves all of it for so long.
    embodied === null ? null : { totalGrams: embodied.kilograms * 1000, lifetimeHours: embodied.lifetimeYears * YEAR_HOURS, resourceShare: 1 }
  return (['average', 'marginal'] as const).flatMap(kind => {
    const told = carbon[kind]
    if (told === undefined) return []
    const { tasks, taskMj, taskGrams, deviceMs, forecastTasks } = told
    // The mean over tasks, each at the intensity of its own time: weighted by energy it gives what they emitted.
    const intensity: GridIntensity = { kind, gramsPerKwh: taskMj === 0 ? 0 : taskGrams / (taskMj / KWH_MJ), atUnixMs: 0, isEstimated: forecastTasks > 0 }
    const mean = { energyMj: taskMj / tasks, ranMs: deviceMs / tasks }
    return [
      {
        kind,
        grams: told.drawnGrams,
        ofKwh: told.drawnMj / KWH_MJ,
        tasks,
        forecastTasks,
        operationalGramsPerTask: tasks === 0 ? null : taskGrams / tasks,
        sciGramsPerTask: tasks === 0 || device === null ? null : sciPerTask(mean, intensity, device).grams
      }
    ]
  })
}

function unknownEnergy({ presentMs, idleMj }: OwnerDay, { runs }: OwnerReport['energy']): string[] {
  const found: string[] = []
  const all = runs.measured + runs.estimated + runs.unknown
  if (runs.unknown > 0) found.push(`the energy of ${runs.unknown} of ${all} runs; what they cost and emitted isn’t counted`)
  if (presentMs > 0 && Object.keys(idleMj).length === 0) found.push('what the computer drew while it waited for tasks')
  else if (idleMj.estimated !== undefined) found.push('what the idle computer draws, where energy was estimated: only CPU time of workers is counted')
  return found
}

function foreignUnits(earned: OwnerReport['earned'], unit: string): string[] {
  const others = Object.keys(earned).filter(each => each !== unit)
  return others.length === 0 ? [] : [`what ${others.join(' and ')} are worth in ${unit}; net leaves them out`]
}

function unknownCarbon(
  { done }: OwnerDay,
  { attributedKwh, idleKwh }: OwnerReport['energy'],
  carbon: readonly CarbonReport[],
  { carbon: { embodied } }: ReportQuestion['policy']
): string[] {
  const tasks = carbon.reduce((sum, each) => sum + each.tasks, 0)
  const restKwh = attributedKwh + (idleKwh ?? 0) - carbon.reduce((sum, each) => sum + each.ofKwh, 0)
  if (carbon.length === 0) return done === 0 && restKwh === 0 ? [] : ['gCO₂e and SCI: no carbon intensity was told; start the car with --intensity']
  const found: string[] = []
  // Sums of many small figures differ in their last digits.
  if (restKwh > 1e-9) found.push(`what ${restKwh.toPrecision(3)} kWh emitted, drawn while no intensity was told`)
  if (done > tasks) found.push(`the SCI of ${done - tasks} of ${done} tasks`)
  if (embodied === null && tasks > 0) found.push('M, the device’s own making, and so SCI; set carbon.embodied in the policy')
  return found
}
