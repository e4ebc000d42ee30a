import type { ClientEvent, TaskResult } from '../../client/client.ts'
import type { TestnetCar } from '../../testnet/testnet-state.ts'

/** Pages of one car under one peer key. */
interface Work {
  /** Pages that it has now, with when each was assigned. */
  readonly working: Map<string, number>
  /** How long each page took that it did, milliseconds from assignment to result. */
  readonly tookMs: number[]
  receipts: number
}

export interface CarTally {
  readonly car: TestnetCar
  killed: boolean
  readonly peers: ReadonlySet<string>
  readonly working: () => ReadonlyMap<string, number>
  readonly tookMs: () => readonly number[]
  readonly receipts: () => number
}

/** Who does what, from the client's events. A car has a new peer key at every stay, which may be heard of before it is known whose it is. */
export interface DemoTally {
  readonly cars: readonly CarTally[]
  /** Pages that went to another car after their first. */
  readonly moved: ReadonlySet<string>
  /** This peer key is that car's. */
  readonly meet: (name: string, peer: string) => void
  readonly hear: (event: ClientEvent, nowMs: number) => void
  readonly finish: (key: string, result: TaskResult, nowMs: number) => void
}

export function createTally(testnetCars: readonly TestnetCar[]): DemoTally {
  const works = new Map<string, Work>()
  const moved = new Set<string>()
  const workOf = (peer: string): Work => {
    const work = works.get(peer) ?? { working: new Map(), tookMs: [], receipts: 0 }
    works.set(peer, work)
    return work
  }
  const cars = testnetCars.map(car => {
    const peers = new Set<string>()
    const own = () => [...peers].map(workOf)
    return {
      car,
      killed: false,
      peers,
      working: () => new Map(own().flatMap(({ working }) => [...working])),
      tookMs: () => own().flatMap(({ tookMs }) => tookMs),
      receipts: () => own().reduce((sum, { receipts }) => sum + receipts, 0)
    }
  })
  return {
    cars,
    moved,
    meet: (name, peer) => void cars.find(each => each.car.name === name)?.peers.add(peer),
    hear: (event, nowMs) => {
      if (event.type === 'assigned') workOf(event.car).working.set(event.key, nowMs)
      if (event.type === 'moved') {
        moved.add(event.key)
        workOf(event.from).working.delete(event.key)
      }
    },
    finish: (key, result, nowMs) => {
      const work = workOf(result.car)
      work.tookMs.push(nowMs - (work.working.get(key) ?? nowMs))
      work.working.delete(key)
      if (result.receipt.length > 0) work.receipts += 1
    }
  }
}

/** Of some cars the one whose page began last: it will hardly be done before the car is gone. */
export function busiestCar(cars: readonly CarTally[]): CarTally | undefined {
  const busy = cars.filter(each => !each.killed && each.working().size > 0)
  return busy.sort((left, right) => latest(right) - latest(left))[0]
}

/** The middle of sorted numbers, the mean of two in the middle; undefined of none. */
export function median(numbers: readonly number[]): number | undefined {
  const sorted = [...numbers].sort((left, right) => left - right)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : sorted.length === 0 ? undefined : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

function latest(tally: CarTally): number {
  return Math.max(...tally.working().values())
}
