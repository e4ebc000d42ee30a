import { DateTime } from 'luxon'
import type { PlannedDeparture } from '../../energy/departure-forecast.ts'
import { NO_STAYS, rememberStay, type StayBegun, type StayHistory } from '../../placement/stays/stay-history.ts'
import { learnStayOdds, type StayOdds } from '../../placement/stays/stay-survival.ts'
import type { VehicleSignals } from '../../protocol/vehicle/signals.ts'
import { isPluggedIn } from './vehicle-facts.ts'

export interface StayKeeperInit {
  /** Where past stays are kept; they never leave the car. */
  readonly store: { readonly read: () => StayHistory | undefined; readonly write: (history: StayHistory) => void }
  readonly unixMs: () => number
  readonly timeZone: () => string | null
  /** How much faster than real time the vehicle's clock runs. */
  readonly rate: number
}

/** A car's own stays, from the gear in Park until it is taken out, and what they tell of the present one. */
export interface StayKeeper {
  readonly look: (signals: VehicleSignals, planned: PlannedDeparture | null) => void
  /** Odds that the vehicle stays for so many seconds of real time more, in [0, 1]; null while it isn't parked. */
  readonly odds: (lengthS: number) => number | null
}

const PARK = 126
/** A driver plugs in and sets a timer soon after arriving; later changes aren't part of how a stay began. */
const ARRIVING_MS = 15 * 60_000
/** Ends that the driver or the owner set; those that work brings about say nothing of when the car is needed. */
const SET_BY_HAND = new Set<PlannedDeparture['code']>(['charging-timer', 'conditioning', 'contract', 'quiet-hours'])
const DAY_MS = 86_400_000

export function createStayKeeper({ store, unixMs, timeZone, rate }: StayKeeperInit): StayKeeper {
  let history = store.read() ?? NO_STAYS
  let present: { readonly arrivedUnixMs: number; readonly begun: StayBegun; readonly odds: StayOdds } | undefined

  function begin(arrivedUnixMs: number, signals: VehicleSignals, planned: PlannedDeparture | null): void {
    const local = DateTime.fromMillis(arrivedUnixMs, { zone: timeZone() ?? 'utc' })
    const begun: StayBegun = {
      arrivalHour: local.hour + local.minute / 60,
      weekday: local.weekday - 1,
      isPlugged: isPluggedIn(signals) === true,
      plannedS: planned !== null && SET_BY_HAND.has(planned.code) ? Math.round((planned.atUnixMs - arrivedUnixMs) / 1000) : null,
      day: Math.floor(arrivedUnixMs / DAY_MS)
    }
    if (present?.arrivedUnixMs === arrivedUnixMs && JSON.stringify(present.begun) === JSON.stringify(begun)) return
    present = { arrivedUnixMs, begun, odds: learnStayOdds(history, begun) }
  }

  return {
    look: (signals, planned) => {
      const gear = signals.get('Vehicle.Powertrain.Transmission.SelectedGear')?.value
      if (typeof gear !== 'number') return
      const nowUnixMs = unixMs()
      if (gear === PARK) {
        if (present === undefined || nowUnixMs - present.arrivedUnixMs < ARRIVING_MS) begin(present?.arrivedUnixMs ?? nowUnixMs, signals, planned)
      } else if (present !== undefined) {
        history = rememberStay(history, present.begun, (nowUnixMs - present.arrivedUnixMs) / 1000)
        present = undefined
        store.write(history)
      }
    },
    odds: lengthS => (present === undefined ? null : present.odds(Math.max(0, (unixMs() - present.arrivedUnixMs) / 1000), lengthS * rate))
  }
}
