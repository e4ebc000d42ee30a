import { allowedModels, allowsAccount } from '../../energy/allowances.ts'
import type { GridIntensity } from '../../energy/carbon.ts'
import type { EnergyMeter } from '../../energy/meters/meter.ts'
import { DEFAULT_POLICY, type OwnerPolicy } from '../../energy/owner-policy.ts'
import type { OwnerUsage } from '../../energy/owner-usage.ts'
import { priceFloor } from '../../energy/price-floor.ts'
import type { Price } from '../../ledger/price.ts'
import type { ModelPolicy } from '../../models/model.ts'
import { MotorpoolError } from '../../protocol/errors.ts'
import type { AccountId, ModelCid } from '../../protocol/ids.ts'
import type { CarEvent, CarOptions } from '../car.ts'
import { createEnergyAccount, type EnergyAccount, type EnergyTotals } from './energy-account.ts'
import { createReportDesk } from './report-desk.ts'
import { createReportKeeper, type ReportKeeperInit } from './report-keeper.ts'
import { createUsageKeeper, type UsageStore } from './usage-keeper.ts'
import { isPluggedIn } from './vehicle-facts.ts'

export interface OwnerDeskInit {
  readonly options: CarOptions
  readonly nowMs: () => number
  readonly unixMs: () => number
  /** Opens the meter at the first join: then the vehicle tells its power, if it does. */
  readonly openMeter: () => EnergyMeter
  readonly cpuMsOf: (model: ModelCid) => number | null
  readonly usageStore: UsageStore
  readonly reportStore: ReportKeeperInit['store']
  /** Processor cores of this machine. */
  readonly cores: number
  /** Bytes that were sent and received so far. */
  readonly networkBytes: () => number
  /** Tasks that run now; undefined while the car is away. */
  readonly running: () => number | undefined
}

/** What the owner allows and what that has cost so far, over all stays of a car. */
export interface OwnerDesk {
  /** A text says why the policy can't be known. */
  readonly policy: () => OwnerPolicy | string
  readonly setPolicy: (policy: OwnerPolicy | string) => void
  readonly modelPolicy: () => ModelPolicy
  readonly isAllowed: (client: AccountId) => boolean
  readonly priceOf: (model: ModelCid) => Price
  /** Begins metering at the first call. */
  readonly energy: () => EnergyAccount
  readonly energyTotals: () => EnergyTotals
  /** With what was drawn and sent until now. */
  readonly usage: () => OwnerUsage
  readonly workWatts: () => number
  readonly grid: () => GridIntensity | undefined
  /** Books what happens for the owner’s report. */
  readonly note: (event: CarEvent) => void
  readonly stop: () => void
}

/** A crash takes at most so much from the owner's report, ms. */
const REPORT_EVERY_MS = 5000
const GRID_EVERY_MS = 5 * 60_000
/** Of a model that never ran nothing is known but the computer's power: its first task is priced as if it took so long. */
const FIRST_TASK_MS = 1000
const NO_ENERGY: EnergyTotals = { marginalMj: 0, attributedMj: 0, restMj: 0, tasks: 0, by: 'unknown', meter: 'none' }

export function createOwnerDesk(init: OwnerDeskInit): OwnerDesk {
  const { options, nowMs } = init
  let policy: OwnerPolicy | string | undefined = options.ownerPolicy ?? (options.vehicle === undefined ? undefined : DEFAULT_POLICY)
  const known = (): OwnerPolicy => (typeof policy === 'object' ? policy : DEFAULT_POLICY)
  checkUnit(options, policy)
  const keeper = createUsageKeeper({ store: init.usageStore, unixMs: init.unixMs, nowMs, timeZone: () => known().timeZone })
  const reportKeeper = createReportKeeper({ store: init.reportStore, unixMs: init.unixMs, timeZone: () => known().timeZone })
  const report = createReportDesk({ keeper: reportKeeper, nowMs, unixMs: init.unixMs, grid: () => grid, isPluggedIn: surelyPluggedIn, cores: init.cores })
  let bookedRestMj = 0
  let meter: EnergyMeter | undefined
  let energy: EnergyAccount | undefined
  let collected = { atMs: nowMs(), networkBytes: init.networkBytes() }
  let grid: GridIntensity | undefined
  const { intensity } = options.energy ?? {}
  const askGrid = async (): Promise<void> => {
    // A figure that can't be had grows old, and with a ceiling that means not fit.
    grid = (await intensity?.().catch(() => undefined)) ?? grid
  }
  void askGrid()
  const asking = intensity === undefined ? undefined : setInterval(askGrid, GRID_EVERY_MS)
  asking?.unref()
  const booking = setInterval(() => {
    try {
      collect()
      reportKeeper.save()
    } catch {
      // A full disk must not end the work: the next time may do, and stopping tells what is wrong.
    }
  }, REPORT_EVERY_MS)
  booking.unref()

  function account(): EnergyAccount {
    if (energy === undefined) {
      meter = init.openMeter()
      const { idleWatts } = options.energy ?? {}
      energy = createEnergyAccount({ meter, nowMs, cpuMsOf: init.cpuMsOf, onRun: report.ran, ...(idleWatts === undefined ? {} : { idleWatts }) })
    }
    return energy
  }

  /** Charges the day with all that was drawn while the car was there; where no meter tells, with the power that the owner names, while tasks ran. */
  function collect(): void {
    const running = init.running()
    const now = { atMs: nowMs(), networkBytes: init.networkBytes() }
    const drawn = energy?.drawnMj() ?? null
    const assumedMj = running === undefined || running === 0 ? 0 : (now.atMs - collected.atMs) * known().battery.workPowerWatts
    const energyMj = running === undefined ? 0 : Math.round(drawn ?? assumedMj)
    keeper.add({ energyMj, networkBytes: Math.max(0, now.networkBytes - collected.networkBytes) })
    collected = now
    const restMj = energy?.totals().restMj ?? 0
    report.collect(meter === undefined || meter.provenance === 'unknown' ? null : { energyMj: restMj - bookedRestMj, by: meter.provenance })
    bookedRestMj = restMj
  }

  function surelyPluggedIn(): boolean {
    return options.vehicle === undefined || isPluggedIn(options.vehicle.signals()) === true
  }

  function priceOf(model: ModelCid): Price {
    const asked: Price = { perTask: 0, perItem: 0, per1kTokensIn: 0, per1kTokensOut: 0, unit: 'XXX', ...options.price }
    if (policy === undefined) return asked
    const energyMj = energy?.expected(model)?.attributedMj ?? known().battery.workPowerWatts * FIRST_TASK_MS
    const floor = priceFloor(known(), { energyMj, pluggedIn: surelyPluggedIn() })
    if (floor <= (asked.unit === known().price.unit ? asked.perTask + asked.perItem : 0)) return asked
    if (asked.unit === known().price.unit) return { ...asked, perTask: floor - asked.perItem }
    return { perTask: floor, perItem: 0, per1kTokensIn: 0, per1kTokensOut: 0, unit: known().price.unit }
  }

  return {
    policy: () => policy ?? DEFAULT_POLICY,
    setPolicy: next => {
      checkUnit(options, next)
      collect()
      policy = next
    },
    modelPolicy: () => {
      const allowed = typeof policy === 'object' ? allowedModels(policy) : undefined
      const { models = [], publishers = [] } = options.policy
      return allowed === undefined ? options.policy : { models: [...models, ...allowed.models], publishers: [...publishers, ...allowed.publishers] }
    },
    isAllowed: client => policy === undefined || (typeof policy === 'object' && allowsAccount(policy, client)),
    priceOf,
    energy: account,
    energyTotals: () => energy?.totals() ?? NO_ENERGY,
    usage: () => {
      collect()
      return keeper.usage()
    },
    workWatts: () => {
      const running = init.running() ?? 0
      return running === 0 ? 0 : (energy?.watts() ?? known().battery.workPowerWatts)
    },
    grid: () => grid,
    note: event => {
      // What went on until now belongs to the time before.
      if (event.type === 'joined' || event.type === 'left') collect()
      report.note(event)
    },
    stop: () => {
      clearInterval(asking)
      clearInterval(booking)
      collect()
      meter?.stop()
      keeper.save()
      reportKeeper.save()
    }
  }
}

/** A floor in one currency says nothing of a price in another. */
function checkUnit({ price }: CarOptions, policy: OwnerPolicy | string | undefined): void {
  if (typeof policy !== 'object' || price?.unit === undefined || price.unit === policy.price.unit) return
  throw new MotorpoolError('ERR_INVALID_OPTION', `the car asks for ${price.unit} and its owner’s policy reckons in ${policy.price.unit}; use one of them`)
}
