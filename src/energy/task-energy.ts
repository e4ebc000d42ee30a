/** `measured` by a meter, `estimated` from CPU time and a configured power, or `unknown`: then figures are 0. */
export type EnergyProvenance = 'measured' | 'estimated' | 'unknown'

/** A task's energy as a receipt's leaf holds it, whole millijoules. */
export interface TaskEnergy {
  /** Above what the idle computer would have drawn. */
  readonly marginalMj: number
  /** Including the task's share of the idle draw. */
  readonly attributedMj: number
  readonly by: EnergyProvenance
}

/** What the meter told between two readings, and the tasks that ran during all of it. */
export interface MeteredInterval {
  readonly meterMj: number
  readonly lengthMs: number
  /** What the computer draws without tasks. */
  readonly idleWatts: number
  /** CPU time of each task in the interval, ms; null where it isn't known: then all tasks count alike. */
  readonly tasks: readonly { readonly id: string; readonly cpuMs: number | null }[]
}

export interface SharedInterval {
  readonly tasks: readonly { readonly id: string; readonly marginalMj: number; readonly attributedMj: number }[]
  /** What no task is charged with; with the tasks' attributed energy it adds up to the meter's. */
  readonly restMj: number
}

/**
 * Shares an interval's energy: what the idle computer would have drawn goes to the tasks in equal parts, the rest by
 * their CPU time. Nothing is lost or counted twice; without tasks all is rest.
 */
export function shareInterval({ meterMj, lengthMs, idleWatts, tasks }: MeteredInterval): SharedInterval {
  if (tasks.length === 0) return { tasks: [], restMj: meterMj }
  // Watts times milliseconds are millijoules.
  const idleMj = Math.min(meterMj, Math.max(0, Math.round(idleWatts * lengthMs)))
  const known = tasks.every(({ cpuMs }) => cpuMs !== null && cpuMs >= 0) && tasks.some(({ cpuMs }) => cpuMs !== null && cpuMs > 0)
  const marginal = split(
    meterMj - idleMj,
    tasks.map(({ cpuMs }) => (known ? (cpuMs ?? 0) : 1))
  )
  const idle = split(
    idleMj,
    tasks.map(() => 1)
  )
  return { tasks: tasks.map(({ id }, index) => ({ id, marginalMj: marginal[index]!, attributedMj: marginal[index]! + idle[index]! })), restMj: 0 }
}

/** Whole parts in proportion to the weights that add up to the whole: each ends where its rounded running sum does. */
function split(whole: number, weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let seen = 0
  let given = 0
  return weights.map((weight, index) => {
    seen += weight
    const until = index === weights.length - 1 ? whole : Math.min(whole, Math.round((whole * seen) / total))
    const part = until - given
    given = until
    return part
  })
}
