/** An errand is a short stop at a shop, a school, a friend's; nobody plugs in there. */
export type Place = 'home' | 'work' | 'public' | 'errand'

/**
 * Mean stay in hours by hour of arrival, from charging sessions (ElaadNL); hours between are interpolated around the clock.
 * Sessions know nothing of errands, so that figure is our own guess.
 */
const MEAN_STAY_HOURS: Readonly<Record<Place, readonly (readonly [hour: number, hours: number])[]>> = {
  home: [
    [0, 9.3],
    [9, 3.7],
    [16, 15.5],
    [18, 13.9],
    [20, 12.3],
    [22, 10.4]
  ],
  work: [
    [8, 8.1],
    [9, 6.6],
    [12, 3.6]
  ],
  public: [
    [9, 4.3],
    [12, 2.9],
    [18, 12.5]
  ],
  errand: [[0, 1.2]]
}

/** Deviation of a stay ÷ its mean, over all cars and days (ElaadNL). */
export const STAY_VARIATION = 0.4
/** Driving, minutes a day (US NHTS, MiD). */
export const DRIVING_MINUTES = { least: 45, most: 65 } as const
/** Share of departures that nothing announced. */
export const UNANNOUNCED_SHARE = { least: 0.05, most: 0.1 } as const
/** Share of hours at which a car is plugged in unless somebody pays for it: 7 to 18 %. */
export const PLUGGED_SHARE = 0.125

/** Mean stay for an arrival at this hour of the day (0 ≤ hour < 24), hours. */
export function meanStayHours(place: Place, arrivalHour: number): number {
  const points = MEAN_STAY_HOURS[place]
  const [first, last] = [points[0]!, points.at(-1)!]
  // Work has figures for its mornings only: who comes at night stays as long as who comes first.
  if (place === 'work') {
    if (arrivalHour <= first[0]) return first[1]
    if (arrivalHour >= last[0]) return last[1]
  }
  const hour = arrivalHour < first[0] ? arrivalHour + 24 : arrivalHour
  const after = points.findIndex(([at]) => at > hour)
  const [fromHour, fromMean] = after < 0 ? last : points[after - 1]!
  const [toHour, toMean] = after < 0 ? [first[0] + 24, first[1]] : points[after]!
  return fromMean + ((toMean - fromMean) * (hour - fromHour)) / (toHour - fromHour)
}
