import type { OwnerPolicy } from '../../energy/owner-policy.ts'
import { MotorpoolError } from '../../protocol/errors.ts'
import type { Car, CarOptions, CarStatus, VehicleStatus } from '../car.ts'
import type { CarStay } from '../create-car.ts'
import { type Attendant, attendVehicle } from './attend-vehicle.ts'
import type { OwnerDesk } from './owner-desk.ts'
import type { StayKeeper } from './stay-keeper.ts'
import type { Turns } from './turns.ts'
import { batteryPercent, isPluggedIn, type VehicleClock } from './vehicle-facts.ts'

export interface CarSeatInit {
  readonly options: CarOptions
  readonly turns: Turns<{ readonly stay: CarStay | undefined }>
  readonly desk: OwnerDesk
  readonly vehicleClock: VehicleClock
  readonly nowMs: () => number
  readonly stays: StayKeeper | undefined
}

/** The owner's place: from here the car comes and goes, by hand or by its vehicle. */
export interface CarSeat {
  readonly car: Car
  /** Why it joins now, in words. */
  readonly why: () => string
  /** Keeps the counts of a stay that is over. */
  readonly noteEnd: (stay: CarStay) => void
  /** Begins to watch the vehicle, if there is one. */
  readonly attend: () => void
  /** Watches no more; call before the last departure. */
  readonly stop: () => Promise<void>
}

/** A driver who is there already waits for nobody: what can't end within this is handed back, seconds. */
const DEPARTURE_SECONDS = 0.8
const BY_HAND = 'parked by hand'

export function createCarSeat(init: CarSeatInit): CarSeat {
  const { options, turns, desk, vehicleClock } = init
  const { vehicle } = options
  let attendant: Attendant | undefined
  let why = BY_HAND
  let joins = 0
  let stopped = false
  let last: ReturnType<CarStay['status']> = {
    state: 'away',
    slots: options.slots ?? 1,
    running: 0,
    queued: 0,
    done: 0,
    failed: 0,
    handedBack: 0,
    heard: 0,
    underpaid: null,
    models: []
  }
  const before = { done: 0, failed: 0, handedBack: 0 }

  const stayNow = (): CarStay | undefined => turns.session()?.stay

  function status(): CarStatus {
    const now = stayNow()?.status()
    return {
      ...(now ?? last),
      done: before.done + (now?.done ?? 0),
      failed: before.failed + (now?.failed ?? 0),
      handedBack: before.handedBack + (now?.handedBack ?? 0),
      joins,
      energy: desk.energyTotals(),
      vehicle: vehicleStatus()
    }
  }

  function vehicleStatus(): VehicleStatus | null {
    if (vehicle === undefined) return null
    const signals = vehicle.signals()
    const { reasons = [], planned = null } = attendant?.state() ?? {}
    return {
      source: vehicle.name,
      state: vehicle.state(),
      trouble: vehicle.trouble() ?? null,
      reasons,
      batteryPercent: batteryPercent(signals),
      pluggedIn: isPluggedIn(signals),
      planned,
      today: desk.usage()
    }
  }

  async function enter(reason: string): Promise<void> {
    if (stopped) throw new MotorpoolError('ERR_STOPPED', 'this peer has stopped; create a new one')
    if (turns.session() !== undefined) return
    why = reason
    await turns.enter()
    joins++
  }

  function checkConsent(): void {
    const policy = desk.policy()
    if (options.ownerPolicy === undefined || (typeof policy === 'object' && policy.optedIn)) return
    throw new MotorpoolError('ERR_NOT_ALLOWED', `${typeof policy === 'string' ? policy : 'the owner hasn’t opted in'}; set optedIn to true in the policy`)
  }

  /** A stay begins anew with other models or clients; a withdrawn consent ends it. */
  function takePolicy(policy: OwnerPolicy | string): void {
    const earlier = desk.policy()
    desk.setPolicy(policy)
    const isRevised = typeof earlier === 'object' && typeof policy === 'object' && termsOf(earlier) !== termsOf(policy)
    const reason = 'the owner changed who and what the car may work for'
    if (attendant !== undefined) {
      if (isRevised) {
        attendant.hold(reason)
        attendant.release()
      } else attendant.look()
    } else if (stayNow() !== undefined) {
      const isWithdrawn = typeof policy === 'string' || !policy.optedIn
      if (isWithdrawn || isRevised) void turns.leave({ reason: isWithdrawn ? 'the owner has withdrawn the consent' : reason, secondsLeft: DEPARTURE_SECONDS })
      if (isRevised && !isWithdrawn) void enter(BY_HAND).catch(error => options.onEvent?.({ type: 'join-failed', reason: String(error), retryInMs: 0 }))
    }
  }

  return {
    why: () => why,
    noteEnd: stay => {
      last = { ...stay.status(), state: 'away' }
      before.done += last.done
      before.failed += last.failed
      before.handedBack += last.handedBack
    },
    attend: () => {
      if (vehicle === undefined) return
      attendant = attendVehicle({
        source: vehicle,
        vehicleClock,
        nowMs: init.nowMs,
        car: {
          park: enter,
          depart: turns.leave,
          expectEnd: atMs => stayNow()?.expectEnd(atMs),
          drainMs: () => stayNow()?.drainMs() ?? 0
        },
        policy: desk.policy,
        usage: desk.usage,
        workWatts: desk.workWatts,
        grid: desk.grid,
        ...(init.stays === undefined ? {} : { onLook: init.stays.look }),
        ...(options.gate === undefined ? {} : { gate: options.gate }),
        onEvent: event => options.onEvent?.(event)
      })
    },
    stop: async () => {
      stopped = true
      await attendant?.stop()
    },
    car: {
      status,
      depart: async ({ reason, secondsLeft = DEPARTURE_SECONDS }) => {
        attendant?.hold(reason)
        await turns.leave({ reason, secondsLeft })
      },
      park: async () => {
        if (attendant === undefined) {
          checkConsent()
          return enter(BY_HAND)
        }
        if (stopped) throw new MotorpoolError('ERR_STOPPED', 'this peer has stopped; create a new one')
        attendant.release()
      },
      setOwnerPolicy: takePolicy
    }
  }
}

function termsOf({ models, publishers, allow }: OwnerPolicy): string {
  return JSON.stringify([models, publishers, allow])
}
