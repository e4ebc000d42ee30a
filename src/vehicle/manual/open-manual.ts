import { setTimeout as delay } from 'node:timers/promises'
import { createSignalBoard, type ToldSignal } from '../signal-board.ts'
import { REFRESH_MS, SYSTEM_SURROUNDINGS, type VehicleSource } from '../vehicle-source.ts'
import { type PowerSupply, readPowerSupply } from './power-supply.ts'

export interface ManualOptions {
  /** Whether it is parked at the beginning: starting this source is the person's word for it. @default true */
  readonly isParked?: boolean
  /** The person's word that it is plugged in, or not; goes before what the machine says. */
  readonly isPluggedIn?: boolean
  /** Reads plug and battery of this machine: `true` for /sys/class/power_supply, or another folder laid out like it. @default false */
  readonly powerSupply?: boolean | string
  readonly refreshMs?: number
}

/** A person stands in for the vehicle: what `motorpool drive` and `motorpool park` do. */
export interface ManualSource extends VehicleSource {
  readonly name: 'manual'
  /** The person needs the machine: gear D, and nothing is said of motion any more. `reason` is shown as trouble until it is parked. */
  readonly drive: (reason?: string) => void
  /** The person vouches: parked, standing, and may offer inference. */
  readonly park: () => void
}

const GEAR = 'Vehicle.Powertrain.Transmission.SelectedGear'
const CHARGING = 'Vehicle.Powertrain.TractionBattery.Charging'
const CABLE = `${CHARGING}.ChargingPort.AnyPosition.IsChargingCableConnected`
const PARKED: readonly ToldSignal[] = [
  { path: 'Vehicle.Motorpool.IsOptedIn', value: true },
  { path: GEAR, value: 126 },
  { path: 'Vehicle.Speed', value: 0 },
  { path: 'Vehicle.IsMoving', value: false }
]
const DRIVEN: readonly ToldSignal[] = [
  { path: GEAR, value: 127 },
  { path: 'Vehicle.Speed', value: null },
  { path: 'Vehicle.IsMoving', value: null }
]

/** A source for people without a car. What the person said holds, and counts as fresh, while this process lives. */
export function openManual(options: ManualOptions = {}, surroundings = SYSTEM_SURROUNDINGS): ManualSource {
  const { isParked = true, isPluggedIn, powerSupply = false, refreshMs = REFRESH_MS } = options
  const board = createSignalBoard(surroundings.clock, { state: 'live' })
  const root = powerSupply === true ? '/sys/class/power_supply' : powerSupply
  const stopping = new AbortController()

  let drivenFor: string | undefined
  // What is read is told by each reading; what the person said is re-sent.
  let said: readonly ToldSignal[] = isPluggedIn === undefined ? [] : [{ path: CABLE, value: isPluggedIn }]
  const say = (more: readonly ToldSignal[]): void => {
    said = [...said.filter(({ path }) => !more.some(other => other.path === path)), ...more]
    board.tell(said)
  }
  say(isParked ? PARKED : [])

  const keepFresh = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const read = root === false ? {} : await readPowerSupply(root)
      board.note(drivenFor ?? (read === null ? `${root} cannot be read, so plug and battery of this machine are not known` : undefined))
      board.tell([...signalsOf(read ?? {}).filter(({ path }) => !said.some(other => other.path === path)), ...said])
      await delay(refreshMs, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }
  const freshening = keepFresh()

  return {
    ...board.face,
    name: 'manual',
    drive: reason => {
      drivenFor = reason
      board.note(reason)
      say(DRIVEN)
    },
    park: () => {
      drivenFor = undefined
      board.note(undefined)
      say(PARKED)
    },
    stop: async () => {
      stopping.abort()
      board.close()
      await freshening
    }
  }
}

function signalsOf({ isPluggedIn, isCharging, chargePercent }: PowerSupply): readonly ToldSignal[] {
  return [
    ...(isPluggedIn === undefined ? [] : [{ path: CABLE, value: isPluggedIn } as const]),
    ...(isCharging === undefined ? [] : [{ path: `${CHARGING}.IsCharging`, value: isCharging } as const]),
    ...(chargePercent === undefined ? [] : [{ path: 'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current', value: chargePercent } as const])
  ]
}
