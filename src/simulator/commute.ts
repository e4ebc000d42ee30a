import { type CommuteHabits, DAILY_SIGMA, drawHabits, truncated } from './commute-habits.ts'
import { type SeededRandom, seededRandom } from './seeded-random.ts'
import { meanStayHours, PLUGGED_SHARE, type Place } from './stay-figures.ts'

/** One time that a car stands. Times are seconds since the midnight (of the car's own zone) that day 0, a Monday, begins with. */
export interface Stay {
  readonly place: Place
  /** The first stay began the evening before: its arrival is negative. */
  readonly arriveS: number
  readonly leaveS: number
  /** When its timer says that it leaves, told from arrival on; one that isn't announced leaves before. */
  readonly plannedLeaveS: number
  /** False: the driver comes when nothing told of it. */
  readonly announced: boolean
  /** Null: not plugged in. */
  readonly pluggedFromS: number | null
  readonly pluggedUntilS: number | null
  /** Percent. */
  readonly socAtArrival: number
  readonly socAtLeave: number
  /** Percent at which charging ends. */
  readonly chargeLimit: number
  readonly chargeKw: number
  readonly capacityKwh: number
  /** The owner's wish: at least so much charge by then. */
  readonly readyBy?: { readonly atS: number; readonly percent: number }
}

export interface CommuteInit {
  readonly seed: number
  readonly days: number
  /** Which car of the fleet: its habits come from here. @default 0 */
  readonly car?: number
  /** Share of parked hours at which it is plugged in. @default 0.125 */
  readonly pluggedShare?: number
}

export const DAY_S = 86_400
const HOUR_S = 3600
/** Energy for an hour of mixed driving: 45 km at 0.17 kWh. */
const DRIVING_KW = 7.6
/** Trips on a usual day, from which the length of one follows. */
const TRIPS_PER_DAY = 4.5
/** Nobody who must charge drives on: below this it is plugged in wherever it stands for long, percent. */
const MUST_CHARGE = 25
/** Bounds of a stay ÷ its mean. */
const SHORTEST = 0.15
const LONGEST = 2.5
/** Who leaves as announced does so about then, seconds. */
const PUNCTUALITY_S = 300
const SHORTEST_STAY_S = 600

/**
 * The stays of one car for some days, in order, with a drive between each two: home, work, public places and short errands,
 * by the figures of `stay-figures.ts` and habits of its own per weekday. The same arguments give the same stays.
 * @throws RangeError when `days` isn't a whole number above 0
 */
export function drawStays({ seed, days, car = 0, pluggedShare = PLUGGED_SHARE }: CommuteInit): readonly Stay[] {
  if (!Number.isInteger(days) || days < 1) throw new RangeError(`days is ${days}; give a whole number above 0`)
  const habits = drawHabits(seededRandom(seed, car, 1))
  const random = seededRandom(seed, car, 2)
  const stays: Stay[] = []
  let place: Place = 'home'
  let arriveS = Math.round((18.25 - 24 + truncated(random)) * HOUR_S)
  let soc = random.between(40, habits.chargeLimit)
  while (arriveS < days * DAY_S) {
    const stay = drawStay({ place, arriveS, soc, habits, pluggedShare, random })
    // What ended before day 0 isn't told.
    if (stay.leaveS > 0) stays.push(stay)
    const driveS = Math.round((habits.drivingMinutesPerDay / TRIPS_PER_DAY) * 60 * Math.exp(0.25 * truncated(random)))
    soc = Math.max(8, stay.socAtLeave - ((driveS / HOUR_S) * DRIVING_KW * 100) / habits.capacityKwh)
    arriveS = stay.leaveS + driveS
    place = nextPlace(place, stay.leaveS, habits, random)
  }
  return stays
}

const hourOf = (atS: number): number => (((atS / HOUR_S) % 24) + 24) % 24
const weekdayOf = (atS: number): number => ((Math.floor(atS / DAY_S) % 7) + 7) % 7

/** Where it goes next. Four of five arrivals at home are after 16 h (ElaadNL): who is out before then mostly goes elsewhere first. */
function nextPlace(place: Place, leaveS: number, habits: CommuteHabits, random: SeededRandom): Place {
  const hour = hourOf(leaveS)
  if (habits.worksOn[weekdayOf(leaveS)] === true && hour >= 5 && hour < 11 && place !== 'work') return 'work'
  const isDaytime = hour >= 5 && hour < habits.homewardHour
  if (place === 'home') return hour >= 5 && hour < 14 && random.chance(0.75) ? 'public' : random.chance(0.1) ? 'public' : 'errand'
  if (isDaytime && !random.chance(0.15)) return place === 'public' || hour > 14 || random.chance(0.5) ? 'errand' : 'public'
  return place !== 'errand' && random.chance(habits.errandChance) ? 'errand' : 'home'
}

function drawStay(init: {
  readonly place: Place
  readonly arriveS: number
  readonly soc: number
  readonly habits: CommuteHabits
  readonly pluggedShare: number
  readonly random: SeededRandom
}): Stay {
  const { place, arriveS, soc, habits, pluggedShare, random } = init
  const usualS = drawLengthS(place, arriveS, habits, random)
  // Timers are set in steps of five minutes.
  const plannedLeaveS = Math.ceil((arriveS + usualS) / 300) * 300
  const announced = !random.chance(habits.unannouncedShare)
  const lateS = announced ? PUNCTUALITY_S * truncated(random) : (random.between(0.1, 0.95) - 1) * usualS
  const leaveS = Math.max(arriveS + SHORTEST_STAY_S, Math.round(plannedLeaveS + lateS))
  const isPlugged = place !== 'errand' && (soc < MUST_CHARGE || random.chance(pluggedShare))
  const pluggedFromS = isPlugged ? arriveS + Math.round(random.between(30, 150)) : null
  const pluggedUntilS = isPlugged ? leaveS - Math.round(random.between(40, 120)) : null
  const chargeKw = habits.chargeKw[place]
  const charged = isPlugged ? ((chargeKw * (leaveS - arriveS)) / HOUR_S / habits.capacityKwh) * 100 : 0
  const wantsReady = habits.readyPercent !== null && place === 'home' && isPlugged
  return {
    place,
    arriveS,
    leaveS,
    plannedLeaveS,
    announced,
    pluggedFromS,
    pluggedUntilS,
    socAtArrival: soc,
    socAtLeave: Math.max(soc, Math.min(habits.chargeLimit, soc + charged)),
    chargeLimit: habits.chargeLimit,
    chargeKw,
    capacityKwh: habits.capacityKwh,
    ...(wantsReady ? { readyBy: { atS: plannedLeaveS, percent: habits.readyPercent } } : {})
  }
}

/** A truncated log-normal stay around the habit of this weekday; few leave in the small hours, so such draws are made again. */
function drawLengthS(place: Place, arriveS: number, habits: CommuteHabits, random: SeededRandom): number {
  const meanS = meanStayHours(place, hourOf(arriveS)) * HOUR_S
  const factor = habits.stayFactor[place][weekdayOf(arriveS)]!
  let lengthS = 0
  for (let tries = 0; tries < 12; tries++) {
    const share = factor * Math.exp(DAILY_SIGMA * (1 + tries / 4) * random.normal())
    lengthS = meanS * Math.min(LONGEST, Math.max(SHORTEST, share))
    const hour = hourOf(arriveS + lengthS)
    if ((hour >= habits.wakingHour && hour < 22) || random.chance(0.05)) break
  }
  return lengthS
}
