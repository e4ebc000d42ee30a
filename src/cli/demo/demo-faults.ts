import { signalProcess } from '../../testnet/process-identity.ts'
import { adminRequest } from '../admin/client.ts'
import { busiestCar, type CarTally, type DemoTally } from './demo-tally.ts'

/** What happens to the mesh while it works, at which share of the pages. */
const FAULTS = [
  { atShare: 0.25, fate: 'driven away' },
  { atShare: 0.5, fate: 'killed' }
] as const
/** Less than a page takes: the driver sits in the car already. */
const SECONDS_LEFT = 0

/** Takes cars away while they work. */
export interface DemoFaults {
  /** Does what is due now; a fault waits until some car has work. */
  readonly due: (share: number) => void
  /** Resolves when whatever was begun has ended. */
  readonly settled: () => Promise<void>
}

/** `tell` hears of each fault as it happens. */
export function planFaults(tally: DemoTally, tell: (car: CarTally, pages: readonly string[]) => void): DemoFaults {
  const waiting = [...FAULTS]
  const running: Promise<unknown>[] = []
  return {
    due: share => {
      const next = waiting[0]
      if (next === undefined || share < next.atShare) return
      const car = busiestCar(tally.cars)
      if (car === undefined) return
      waiting.shift()
      car.fate = next.fate
      tell(car, [...car.working.keys()])
      if (next.fate === 'killed') signalProcess(car.car, 'SIGKILL')
      else running.push(adminRequest(car.car.dataFolder, 'drive', { reason: 'the driver is here', secondsLeft: SECONDS_LEFT }).catch(() => undefined))
    },
    settled: async () => {
      await Promise.all(running)
    }
  }
}
