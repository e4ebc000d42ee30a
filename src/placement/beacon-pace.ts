/** Timer reconsideration makes intervals longer on average; RFC 3550 §6.3.1 divides by e − 3/2. */
const RECONSIDERATION = Math.E - 1.5
/** Beacons missed before a car counts as gone: RFC 3550 §6.3.5 takes five; gossip loses less than multicast. */
const BEACONS_MISSED = 4
/** In a tiny shard too, a car may be busy for a few seconds. */
const LEAST_BEACONS_AWAY = 10
/** Orders of magnitude (base e) of cars that may leave a shard at once; more of it: fewer messages, later. */
const FAREWELL_SPREAD = 10

/** Time from one beacon of a car to its next, so that `cars` cars together send one per `beaconMs` (RFC 3550 §6.3.1). @param random - in [0, 1) */
export function beaconIntervalMs(cars: number, beaconMs: number, random: number): number {
  return (cars * beaconMs * (0.5 + random)) / RECONSIDERATION
}

/** How long a car that paces itself by `cars` cars may be silent before it counts as gone. */
export function silenceMs(cars: number, beaconMs: number): number {
  return Math.max(BEACONS_MISSED * cars, LEAST_BEACONS_AWAY) * beaconMs
}

/**
 * When a car tells its old shard that it left: most draw a late moment, so that of 10 or 10,000 that leave at once a few
 * speak and the others, who hear them, needn't (truncated exponential timers, RFC 5401 §5.2).
 * @param random - in [0, 1)
 */
export function farewellDelayMs(holdMs: number, random: number): number {
  return (holdMs * Math.log(1 + random * Math.expm1(FAREWELL_SPREAD))) / FAREWELL_SPREAD
}
