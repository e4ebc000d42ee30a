import type { ClientEvent, TaskResult } from '../../client/client.ts'
import type { TestnetCar } from '../../testnet/testnet-state.ts'

/** What became of a car in the demo. */
export type CarFate = 'parked' | 'driven away' | 'killed'

export interface CarTally {
  readonly car: TestnetCar
  fate: CarFate
  /** Pages that it has now, with when each was assigned. */
  readonly working: Map<string, number>
  /** How long each page took that it did, milliseconds from assignment to result. */
  readonly tookMs: number[]
  receipts: number
}

/** Who does what, from the client's events; cars the testnet doesn't know are ignored. */
export interface DemoTally {
  readonly cars: readonly CarTally[]
  /** Pages that went to another car after their first. */
  readonly moved: ReadonlySet<string>
  readonly hear: (event: ClientEvent, nowMs: number) => void
  readonly finish: (key: string, result: TaskResult, nowMs: number) => void
}

/** Begins with every car parked and idle. */
export function createTally(testnetCars: readonly TestnetCar[]): DemoTally {
  const cars: CarTally[] = testnetCars.map(car => ({ car, fate: 'parked', working: new Map(), tookMs: [], receipts: 0 }))
  const moved = new Set<string>()
  const carOf = (peer: string) => cars.find(each => each.car.peerId === peer)
  return {
    cars,
    moved,
    hear: (event, nowMs) => {
      if (event.type === 'assigned') carOf(event.car)?.working.set(event.key, nowMs)
      if (event.type === 'moved') {
        moved.add(event.key)
        carOf(event.from)?.working.delete(event.key)
      }
    },
    finish: (key, result, nowMs) => {
      const tally = carOf(result.car)
      if (tally === undefined) return
      tally.tookMs.push(nowMs - (tally.working.get(key) ?? nowMs))
      tally.working.delete(key)
      if (result.receipt.length > 0) tally.receipts += 1
    }
  }
}

/** The car, still parked, whose page began last: it will hardly be done before the car is gone. */
export function busiestCar(cars: readonly CarTally[]): CarTally | undefined {
  const busy = cars.filter(each => each.fate === 'parked' && each.working.size > 0)
  return busy.sort((left, right) => latest(right) - latest(left))[0]
}

/** The middle of sorted numbers, the mean of two in the middle; undefined of none. */
export function median(numbers: readonly number[]): number | undefined {
  const sorted = [...numbers].sort((left, right) => left - right)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : sorted.length === 0 ? undefined : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

function latest(tally: CarTally): number {
  return Math.max(...tally.working.values())
}
