import { z } from 'zod'

const figure = z.number().nonnegative()
const count = z.int().nonnegative()
const provenance = z.enum(['measured', 'estimated', 'unknown'])

const carbon = z.strictObject({
  /** All energy that an intensity was known for, and what it emitted. */
  drawnMj: figure,
  drawnGrams: figure,
  /** Tasks done of known energy and intensity: what they took, what that emitted, and how long they had the whole device, ms. */
  tasks: count,
  taskMj: figure,
  taskGrams: figure,
  deviceMs: figure,
  /** Tasks whose intensity was a forecast or an estimate. */
  forecastTasks: count
})

/** What a car did on one calendar day of its owner's zone, as the owner's own report keeps it. */
export const ownerDaySchema = z.strictObject({
  /** ISO date, e.g. 2026-03-29. */
  day: z.string().regex(/^\d{4}-\d\d-\d\d$/),
  /** Stays that began. */
  stays: count,
  presentMs: figure,
  done: count,
  failed: count,
  handedBack: count,
  /** Runs of tasks, delivered or not, and their energy. */
  runs: z.partialRecord(provenance, z.strictObject({ count, marginalMj: figure, attributedMj: figure })),
  /** Drawn while the car was there and charged to no task. */
  idleMj: z.partialRecord(provenance, figure),
  /** The part of all this energy that surely came from no charger. */
  unpluggedMj: figure,
  /** Prices in receipts, 10⁻⁶ of each unit. */
  earned: z.partialRecord(z.string().regex(/^[A-Z]{3}$/), figure),
  /** Average and marginal figures answer different questions and are never added. */
  carbon: z.partialRecord(z.enum(['average', 'marginal']), carbon)
})

export type OwnerDay = Readonly<z.infer<typeof ownerDaySchema>>
export type OwnerDayPart = Partial<Omit<OwnerDay, 'day'>>

/** The form in which days are kept, oldest first. */
export const ownerDaysSchema = z.strictObject({ v: z.literal(1), days: z.array(ownerDaySchema) })
export type OwnerDays = z.infer<typeof ownerDaysSchema>

/** Where they lie in a car's data folder, and what goes with that file. */
export const REPORT_FILE = { name: 'report.json', holds: 'the days of the owner’s report' } as const
export const NO_DAYS: OwnerDays = { v: 1, days: [] }
/** A quarter of a year; the file is written every few seconds and must stay small. */
export const DAYS_KEPT = 92

export function emptyDay(day: string): OwnerDay {
  return { day, stays: 0, presentMs: 0, done: 0, failed: 0, handedBack: 0, runs: {}, idleMj: {}, unpluggedMj: 0, earned: {}, carbon: {} }
}

/** The days with `part` added to one of them; the oldest go beyond `DAYS_KEPT`. */
export function addToDays({ days }: OwnerDays, day: string, part: OwnerDayPart): OwnerDays {
  const known = days.findLastIndex(each => each.day === day)
  if (known >= 0) return { v: 1, days: days.with(known, addToDay(days[known]!, part)) }
  const after = days.findLastIndex(each => each.day < day) + 1
  return { v: 1, days: days.toSpliced(after, 0, addToDay(emptyDay(day), part)).slice(-DAYS_KEPT) }
}

export function addToDay(day: OwnerDay, part: OwnerDayPart): OwnerDay {
  return {
    day: day.day,
    stays: day.stays + (part.stays ?? 0),
    presentMs: day.presentMs + (part.presentMs ?? 0),
    done: day.done + (part.done ?? 0),
    failed: day.failed + (part.failed ?? 0),
    handedBack: day.handedBack + (part.handedBack ?? 0),
    runs: merged(day.runs, part.runs, addFigures),
    idleMj: merged(day.idleMj, part.idleMj, (left, right) => left + right),
    unpluggedMj: day.unpluggedMj + (part.unpluggedMj ?? 0),
    earned: merged(day.earned, part.earned, (left, right) => left + right),
    carbon: merged(day.carbon, part.carbon, addFigures)
  }
}

function merged<Key extends string, Value>(
  left: Partial<Record<Key, Value>>,
  right: Partial<Record<Key, Value>> | undefined,
  add: (left: Value, right: Value) => Value
): Partial<Record<Key, Value>> {
  if (right === undefined) return left
  const sum = { ...left }
  for (const key in right) {
    const [before, more] = [sum[key], right[key]]
    if (more !== undefined) sum[key] = before === undefined ? more : add(before, more)
  }
  return sum
}

function addFigures<Figures extends Record<string, number>>(left: Figures, right: Figures): Figures {
  const sum = { ...left }
  for (const key in right) sum[key] = ((left[key] ?? 0) + (right[key] ?? 0)) as Figures[typeof key]
  return sum
}
