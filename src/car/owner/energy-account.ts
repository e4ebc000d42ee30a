import { type EnergyReading, openEnergyBook, stepEnergyBook } from '../../energy/energy-book.ts'
import type { EnergyMeter } from '../../energy/meters/meter.ts'
import type { EnergyProvenance, TaskEnergy } from '../../energy/task-energy.ts'
import type { ModelCid } from '../../protocol/ids.ts'

export interface EnergyAccountInit {
  readonly meter: EnergyMeter
  readonly nowMs: () => number
  /** CPU time so far of a model's workers, ms; null when it can't be told. */
  readonly cpuMsOf: (model: ModelCid) => number | null
  /** What the computer draws without tasks, W. @default learnt from times without tasks */
  readonly idleWatts?: number
  /** Hears of each run that is over. */
  readonly onRun?: (energy: TaskEnergy) => void
}

/** Energy of all tasks so far, whole millijoules. */
export interface EnergyTotals extends TaskEnergy {
  /** Drawn while the car was there, and charged to no task. */
  readonly restMj: number
  readonly tasks: number
  readonly meter: EnergyMeter['name']
}

/** A car's energy: what each task took, and what a task of a model is expected to take. */
export interface EnergyAccount {
  /** A task runs from now on; of its model at most `parallel` do, and those handed over meanwhile begin as others end. */
  readonly begin: (task: string, model: ModelCid, parallel: number) => void
  readonly end: (task: string) => TaskEnergy
  /** Mean over the tasks of a model so far; null before the first that was known. */
  readonly expected: (model: ModelCid) => { readonly marginalMj: number; readonly attributedMj: number } | null
  /** What is drawn at present, W, by the last second; null when it can't be told. */
  readonly watts: () => number | null
  /** Drawn since it was last asked, mJ; null when that can't be told. */
  readonly drawnMj: () => number | null
  readonly totals: () => EnergyTotals
}

/** Meters and /proc are files: thousands of short tasks a second share one reading, and an interval is charged to those that run at its end. */
const READ_EVERY_MS = 5
/** While several tasks run no interval goes uncharged, so readings need come no faster than Linux counts CPU time. */
const READ_BUSY_EVERY_MS = 10
/** Shorter times without tasks say little of the idle draw. */
const IDLE_LEAST_MS = 200
const MEAN_SHARE = 0.1
const NOTHING: TaskEnergy = { marginalMj: 0, attributedMj: 0, by: 'unknown' }

export function createEnergyAccount({ meter, nowMs, cpuMsOf, idleWatts, onRun }: EnergyAccountInit): EnergyAccount {
  const models = new Map<string, ModelCid>()
  const waiting = new Map<string, ModelCid>()
  const cpuOfModel = new Map<ModelCid, number>()
  const cpuOfTask = new Map<string, number>()
  const means = new Map<ModelCid, { marginalMj: number; attributedMj: number }>()
  const sums = { marginalMj: 0, attributedMj: 0, tasks: 0, estimated: 0, unknown: 0 }
  let learntIdleWatts: number | null = null
  let book = openEnergyBook(readNow())
  let asked = book.last
  let recent = { atMs: nowMs(), meterMj: book.last.meterMj, watts: null as number | null }
  let askedIsBroken = false
  /** Where no meter tells, there is nothing to share. */
  const isMetered = meter.provenance !== 'unknown'

  function readNow(): EnergyReading {
    return { atMs: nowMs(), meterMj: meter.readMj(), by: meter.provenance, idleWatts: idleWatts ?? learntIdleWatts ?? 0, cpuMs: new Map(cpuOfTask) }
  }

  /** What each running task has of its model's CPU time: equal parts of what was used while it ran. */
  function shareCpu(): void {
    const running = Map.groupBy(models, ([, model]) => model)
    for (const [model, tasks] of running) {
      const now = cpuMsOf(model)
      const before = cpuOfModel.get(model)
      if (now === null) continue
      cpuOfModel.set(model, now)
      const share = before === undefined || now < before ? 0 : (now - before) / tasks.length
      for (const [task] of tasks) cpuOfTask.set(task, (cpuOfTask.get(task) ?? 0) + share)
    }
  }

  function read(change: { readonly begin?: string; readonly end?: string } = {}): TaskEnergy | null {
    if (!isMetered) return null
    const isFresh = nowMs() - book.last.atMs < (models.size > 1 ? READ_BUSY_EVERY_MS : READ_EVERY_MS)
    let reading = book.last
    if (!isFresh) {
      shareCpu()
      learnIdle()
      reading = readNow()
      if (reading.meterMj === null) askedIsBroken = true
      noteWatts(reading)
    }
    const [next, ended] = stepEnergyBook(book, reading, change)
    book = next
    return ended
  }

  function learnIdle(): void {
    if (models.size > 0 || idleWatts !== undefined || book.last.meterMj === null || nowMs() - book.last.atMs < IDLE_LEAST_MS) return
    const before = book.last
    const now = readNow()
    if (now.meterMj === null || before.meterMj === null) return
    const watts = (now.meterMj - before.meterMj) / (now.atMs - before.atMs)
    learntIdleWatts = learntIdleWatts === null ? watts : learntIdleWatts * (1 - MEAN_SHARE) + watts * MEAN_SHARE
    ;[book] = stepEnergyBook(book, now)
  }

  function noteWatts({ atMs, meterMj }: EnergyReading): void {
    if (atMs - recent.atMs < 1000) return
    const watts = meterMj === null || recent.meterMj === null ? null : (meterMj - recent.meterMj) / (atMs - recent.atMs)
    recent = { atMs, meterMj, watts }
  }

  function runningOf(model: ModelCid): number {
    let count = 0
    for (const other of models.values()) if (other === model) count++
    return count
  }

  function start(task: string, model: ModelCid): void {
    const cpuMs = !isMetered || cpuOfModel.has(model) ? null : cpuMsOf(model)
    if (cpuMs !== null) cpuOfModel.set(model, cpuMs)
    models.set(task, model)
    read({ begin: task })
  }

  function learn(model: ModelCid, energy: TaskEnergy): void {
    sums.tasks++
    onRun?.(energy)
    if (energy.by === 'unknown') return void sums.unknown++
    if (energy.by === 'estimated') sums.estimated++
    sums.marginalMj += energy.marginalMj
    sums.attributedMj += energy.attributedMj
    const mean = means.get(model)
    const mix = (before: number, now: number): number => before * (1 - MEAN_SHARE) + now * MEAN_SHARE
    means.set(
      model,
      mean === undefined
        ? { marginalMj: energy.marginalMj, attributedMj: energy.attributedMj }
        : { marginalMj: mix(mean.marginalMj, energy.marginalMj), attributedMj: mix(mean.attributedMj, energy.attributedMj) }
    )
  }

  return {
    begin: (task, model, parallel) => {
      if (runningOf(model) < parallel) start(task, model)
      else waiting.set(task, model)
    },
    end: task => {
      if (waiting.delete(task)) return NOTHING
      const model = models.get(task)
      if (model === undefined) return NOTHING
      const energy = read({ end: task }) ?? NOTHING
      models.delete(task)
      cpuOfTask.delete(task)
      learn(model, energy)
      const next = [...waiting].find(([, other]) => other === model)
      if (next !== undefined) {
        waiting.delete(next[0])
        start(...next)
      }
      return energy
    },
    expected: model => means.get(model) ?? null,
    watts: () => {
      read()
      return recent.watts
    },
    drawnMj: () => {
      read()
      const before = asked
      asked = book.last
      const isBroken = askedIsBroken
      askedIsBroken = false
      return isBroken || before.meterMj === null || asked.meterMj === null ? null : asked.meterMj - before.meterMj
    },
    totals: () => ({
      marginalMj: sums.marginalMj,
      attributedMj: sums.attributedMj,
      restMj: book.restMj,
      tasks: sums.tasks,
      by: provenance(),
      meter: meter.name
    })
  }

  /** A sum is no better known than its parts. */
  function provenance(): EnergyProvenance {
    if (sums.tasks === 0) return meter.provenance
    return sums.unknown > 0 ? 'unknown' : sums.estimated > 0 ? 'estimated' : 'measured'
  }
}
