import { skipDay } from '../../testnet/fleet-day.ts'
import { isAlive, signalProcess } from '../../testnet/process-identity.ts'
import type { TestnetState } from '../../testnet/testnet-state.ts'
import { adminRequest } from '../admin/client.ts'
import { stateOf as stateWord } from '../testnet/testnet-status.ts'
import { shortReason } from '../vehicle/car-words.ts'
import type { DemoCast } from './demo-cast.ts'
import { busiestCar, type CarTally, createTally, type DemoTally } from './demo-tally.ts'
import { type CarTurn, watchFleet } from './fleet-watch.ts'

/** The cars of the demo, as they come and go. */
export interface DemoFleet {
  readonly tally: DemoTally
  readonly stateOf: (car: CarTally) => string
  /** Resolves when every car is on the mesh, or after a while without. */
  readonly allParked: () => Promise<void>
  /** Kills a car that stays and has work, once. */
  readonly killOne: () => void
  /** Resolves when who was to leave has left, and who was to come back is back. */
  readonly dayPlayed: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Cars load models side by side; a busy machine takes long. */
const PARK_LIMIT_MS = 45_000
/** An hour of the day is twelve seconds, and coming back loads models. */
const DAY_LIMIT_MS = 30_000

export function createDemoFleet(state: TestnetState, cast: DemoCast, tell: (line: string) => void, signal: AbortSignal): DemoFleet {
  const tally = createTally(state.cars)
  const nameOf = (number: number): string => `car-${number}`
  const leaving = [nameOf(cast.announced), nameOf(cast.unannounced)]
  let isKilled = false
  const onTurn = ({ name, type, reason, atUnixMs }: CarTurn): void => {
    const working = [
      ...(tally.cars
        .find(each => each.car.name === name)
        ?.working()
        .keys() ?? [])
    ]
    const doing = type === 'joined' || working.length === 0 ? '' : `, while it reads ${working.join(', ')}`
    tell(`${new Date(atUnixMs).toISOString().slice(11, 16)} ${name} ${type}: ${shortReason(reason)}${doing}`)
  }
  const watch = watchFleet(state.cars, { onTurn, onPeer: tally.meet }, signal)
  const hasLeft = (name: string) => (watch.now(name)?.story.left ?? null) !== null
  const isBack = (name: string) => watch.joins(name) > 1
  return {
    tally,
    stateOf: ({ car }) => (isAlive(car) ? stateWord({ car, now: watch.now(car.name) }) : 'killed'),
    allParked: async () => {
      await watch.until(() => state.cars.every(({ name }) => watch.joins(name) > 0), PARK_LIMIT_MS)
    },
    killOne: () => {
      const victim = isKilled ? undefined : busiestCar(tally.cars.filter(({ car }) => !leaving.includes(car.name)))
      if (victim === undefined) return
      isKilled = true
      victim.killed = true
      tell(`${victim.car.name} is killed while it reads ${[...victim.working().keys()].join(', ')}`)
      signalProcess(victim.car, 'SIGKILL')
    },
    dayPlayed: async () => {
      const [announced = '', unannounced = ''] = leaving
      if (!(isBack(announced) && hasLeft(unannounced))) tell('all pages are read; waiting until the car that drove off is back')
      await watch.until(() => isBack(announced) && hasLeft(unannounced), DAY_LIMIT_MS)
    },
    stop: watch.stop
  }
}

/** Lets the night pass at once for every car; where it has passed already, nothing happens. */
export async function bringMorning(folder: string, { cars }: TestnetState, morningS: number): Promise<void> {
  skipDay(folder, morningS, Date.now())
  await Promise.all(cars.map(car => adminRequest(car.dataFolder, 'skip', { toS: morningS }).catch(() => undefined)))
}
