/**
 * Mean length of a long stay in hours by hour of arrival, wherever it is: charging sessions at homes, works and public
 * places (ElaadNL), weighed by where cars arrive at that hour.
 */
const LONG_STAY_HOURS: readonly (readonly [hour: number, hours: number])[] = [
  [0, 9.3],
  [7, 8],
  [9, 6],
  [12, 3.6],
  [14, 6],
  [16, 14],
  [18, 13.9],
  [20, 12.3],
  [22, 10.4],
  [24, 9.3]
]
/** Half of all stays are short stops, of which no charging session tells. */
const SHORT_SHARE = 0.5
const SHORT_STAY_HOURS = 1.1
/** Steepness of the log-logistic survival of strangers' stays: their lengths deviate by some 40 %. */
const STEEPNESS = 4

/** Survival of a stay that begins at this hour of the day, of a car that nothing is known of: P(length ≥ `lengthS`). */
export function stayPrior(arrivalHour: number): (lengthS: number) => number {
  const longS = interpolate(arrivalHour) * 3600
  const shortS = SHORT_STAY_HOURS * 3600
  return lengthS => SHORT_SHARE / (1 + (lengthS / shortS) ** STEEPNESS) + (1 - SHORT_SHARE) / (1 + (lengthS / longS) ** STEEPNESS)
}

function interpolate(hour: number): number {
  const after = Math.max(
    1,
    LONG_STAY_HOURS.findIndex(([at]) => at > hour)
  )
  const [fromHour, from] = LONG_STAY_HOURS[after - 1]!
  const [toHour, to] = LONG_STAY_HOURS[after]!
  return from + ((to - from) * (hour - fromHour)) / (toHour - fromHour)
}
