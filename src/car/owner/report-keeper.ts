import { localDay } from '../../energy/local-time.ts'
import { addToDays, NO_DAYS, type OwnerDayPart, type OwnerDays } from '../../energy/report/owner-day.ts'

export interface ReportKeeperInit {
  /** Where the days are kept; they never leave the car. */
  readonly store: { readonly read: () => OwnerDays | undefined; readonly write: (days: OwnerDays) => void }
  readonly unixMs: () => number
  readonly timeZone: () => string | null
}

/** What the owner's own report is made of, day by day. */
export interface ReportKeeper {
  readonly add: (part: OwnerDayPart) => void
  /** Writes what hasn't been written. */
  readonly save: () => void
}

export function createReportKeeper({ store, unixMs, timeZone }: ReportKeeperInit): ReportKeeper {
  let days = store.read() ?? NO_DAYS
  let saved = days
  return {
    add: part => {
      days = addToDays(days, localDay(unixMs(), timeZone()), part)
    },
    save: () => {
      if (days === saved) return
      store.write(days)
      saved = days
    }
  }
}
