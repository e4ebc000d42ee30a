import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { CarOptions } from '../car/car.ts'
import type { CarStay } from '../car/create-car.ts'
import { createOwnerDesk, type OwnerDesk } from '../car/owner/owner-desk.ts'
import { createStayKeeper, type StayKeeper } from '../car/owner/stay-keeper.ts'
import { usageSchema } from '../car/owner/usage-keeper.ts'
import { computerWatts } from '../car/owner/vehicle-facts.ts'
import { cpuTimeMs } from '../energy/meters/cpu-time.ts'
import { openMeter } from '../energy/meters/open-meter.ts'
import { ownerDaysSchema, REPORT_FILE } from '../energy/report/owner-day.ts'
import { openPrivateJson } from '../ledger/store/private-json.ts'
import { stayHistorySchema } from '../placement/stays/stay-history.ts'
import { SYSTEM_CLOCK } from './peer-options.ts'

/** The vehicle's own figure of its computer's power isn't believed when it is older, ms. */
const VEHICLE_WATTS_MS = 60_000
const PROC = '/proc'
/** What happens in a trace that is played is forgotten with it. */
const NOT_KEPT = { read: () => undefined, write: () => undefined }

/** What its owner's half remembers of a car's stays. */
export function openStayKeeper(folder: string, { vehicleClock }: CarOptions, desk: OwnerDesk): StayKeeper {
  return createStayKeeper({
    store: vehicleClock === undefined ? openPrivateJson(join(folder, 'stays.json'), stayHistorySchema, 'what the car has learnt of its stays') : NOT_KEPT,
    unixMs: (vehicleClock ?? SYSTEM_CLOCK).unixMs,
    timeZone: () => {
      const policy = desk.policy()
      return typeof policy === 'string' ? null : policy.timeZone
    },
    rate: vehicleClock?.rate ?? 1
  })
}

/**
 * A car's prices, caps, meters and report, kept in its data folder.
 * @param stay - the present one
 * @param networkBytes - sent and received so far
 */
export function openOwnerDesk(folder: string, car: CarOptions, stay: () => CarStay | undefined, networkBytes: () => number): OwnerDesk {
  const { vehicle, vehicleClock = SYSTEM_CLOCK, energy = {} } = car
  const models = () => stay()?.status().models ?? []
  return createOwnerDesk({
    options: car,
    nowMs: SYSTEM_CLOCK.monotonicMs,
    unixMs: vehicleClock.unixMs,
    usageStore: car.vehicleClock === undefined ? openPrivateJson(join(folder, 'usage.json'), usageSchema, 'what was used of today’s caps') : NOT_KEPT,
    reportStore: car.vehicleClock === undefined ? openPrivateJson(join(folder, REPORT_FILE.name), ownerDaysSchema, REPORT_FILE.holds) : NOT_KEPT,
    cores: availableParallelism(),
    openMeter: () =>
      openMeter({
        ...energy,
        processIds: () => models().flatMap(({ workerPids }) => workerPids),
        ...(vehicle === undefined ? {} : { vehicleWatts: () => computerWatts(vehicle.signals(), SYSTEM_CLOCK.monotonicMs(), VEHICLE_WATTS_MS) })
      }),
    cpuMsOf: cid => {
      const times = (models().find(model => model.cid === cid)?.workerPids ?? []).map(pid => cpuTimeMs(PROC, pid))
      return times.reduce((sum, time) => (sum === null || time === null ? null : sum + time), 0)
    },
    networkBytes,
    running: () => stay()?.status().running
  })
}
