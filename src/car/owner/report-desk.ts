import { type GridIntensity, isPresent } from '../../energy/carbon.ts'
import type { OwnerDayPart } from '../../energy/report/owner-day.ts'
import type { EnergyProvenance, TaskEnergy } from '../../energy/task-energy.ts'
import type { CarEvent } from '../car.ts'
import type { ReportKeeper } from './report-keeper.ts'

export interface ReportDeskInit {
  readonly keeper: ReportKeeper
  readonly nowMs: () => number
  readonly unixMs: () => number
  readonly grid: () => GridIntensity | undefined
  /** Whether the energy surely comes from a charger. */
  readonly isPluggedIn: () => boolean
  /** Processor cores: a task has one of them to itself while it runs. */
  readonly cores: number
}

/** Books what a car does for its owner's own report. */
export interface ReportDesk {
  readonly note: (event: CarEvent) => void
  /** A task's run is over, whether or not it is delivered. */
  readonly ran: (energy: TaskEnergy) => void
  /** Books the time until now, and `idle`: what was drawn since the last time and charged to no task; null when nothing tells. */
  readonly collect: (idle: { readonly energyMj: number; readonly by: EnergyProvenance } | null) => void
}

export function createReportDesk({ keeper, nowMs, unixMs, grid, isPluggedIn, cores }: ReportDeskInit): ReportDesk {
  let presentMs: number | undefined

  const gridNow = (): GridIntensity | undefined => {
    const told = grid()
    return told !== undefined && isPresent(told, unixMs()) ? told : undefined
  }

  function bookEnergy(energyMj: number, part: OwnerDayPart): void {
    const told = gridNow()
    keeper.add({
      ...part,
      ...(isPluggedIn() ? {} : { unpluggedMj: energyMj }),
      ...(told === undefined ? {} : { carbon: { [told.kind]: { ...NO_CARBON, drawnMj: energyMj, drawnGrams: gramsOf(energyMj, told) } } })
    })
  }

  function bookTask({ energy, earned, ranUs, together }: Extract<CarEvent, { type: 'done' }>): void {
    const told = energy.by === 'unknown' ? undefined : gridNow()
    const task = {
      tasks: 1,
      taskMj: energy.attributedMj,
      deviceMs: ranUs / 1000 / together / cores,
      forecastTasks: told?.isEstimated === true ? 1 : 0
    }
    keeper.add({
      done: 1,
      earned: { [earned.unit]: earned.amount },
      ...(told === undefined ? {} : { carbon: { [told.kind]: { ...NO_CARBON, ...task, taskGrams: gramsOf(energy.attributedMj, told) } } })
    })
  }

  return {
    note: event => {
      switch (event.type) {
        case 'joined':
          presentMs = nowMs()
          return keeper.add({ stays: 1 })
        case 'left':
          presentMs = undefined
          return
        case 'done':
          return bookTask(event)
        case 'failed':
          return keeper.add({ failed: 1 })
        case 'handed-back':
          return keeper.add({ handedBack: 1 })
      }
    },
    ran: ({ by, marginalMj, attributedMj }) => {
      const part = { runs: { [by]: { count: 1, marginalMj, attributedMj } } }
      if (by === 'unknown') keeper.add(part)
      else bookEnergy(attributedMj, part)
    },
    collect: idle => {
      if (presentMs === undefined) return
      const now = nowMs()
      const part = { presentMs: now - presentMs }
      presentMs = now
      if (idle === null) keeper.add(part)
      else bookEnergy(idle.energyMj, { ...part, idleMj: { [idle.by]: idle.energyMj } })
    }
  }
}

const NO_CARBON = { drawnMj: 0, drawnGrams: 0, tasks: 0, taskMj: 0, taskGrams: 0, deviceMs: 0, forecastTasks: 0 }

function gramsOf(energyMj: number, { gramsPerKwh }: GridIntensity): number {
  return (energyMj / 3.6e9) * gramsPerKwh
}
