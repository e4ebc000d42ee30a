import type { AdmittedTask, CarEffect, CarStepEvent, CarWork } from '../../src/car/car-state.ts'
import { initialCarWork } from '../../src/car/car-state.ts'
import { carStep } from '../../src/car/car-step.ts'
import type { ClientEffect, ClientState, ClientStepEvent } from '../../src/client/steps/client-state.ts'
import { initialClientState } from '../../src/client/steps/client-state.ts'
import { clientStep, clientSteps } from '../../src/client/steps/client-step.ts'
import type { Offer } from '../../src/protocol/control.ts'
import type { LeaseId, ModelCid, PeerId, TaskId } from '../../src/protocol/ids.ts'

/** The model that every virtual car holds. */
export const MODEL = 'bafkrei-virtual' as ModelCid
const CLIENT = 'client' as PeerId
/** More steps than this at one virtual moment are a busy loop. */
const STEPS_AT_ONCE = 10_000

export interface VirtualMeshInit {
  readonly random: () => number
  readonly cars: number
  readonly slots: 1 | 2 | 4 | 8
  readonly runMs: number
  /** One way, ms. */
  readonly delayMs: number
  /** Delays and runs take as long as told, receipts come with their results, and no worker dies. @default false */
  readonly steady?: boolean
  /** What the client hears within so many ms makes one step; each event its own when 0. @default 0 */
  readonly gathersMs?: number
}

/** One client and many cars, run by the real steps under a virtual clock; messages take time, runs take time, cars can be struck. */
export function createVirtualMesh({ random, cars, slots, runMs, delayMs, steady = false, gathersMs = 0 }: VirtualMeshInit) {
  let now = 0
  let order = 0
  let steps = 0
  const events: { readonly at: number; readonly order: number; readonly act: () => void }[] = []
  const log = {
    delivered: new Map<TaskId, number>(),
    failed: new Map<TaskId, string>(),
    attempts: new Map<TaskId, number[]>(),
    dropped: 0,
    ran: 0,
    moved: 0,
    busiest: 0,
    mostLeases: 0,
    /** When each task was delivered. */
    times: new Map<TaskId, number>(),
    /** When the last announcement went out. */
    announcedMs: 0
  }
  let client: ClientState = initialClientState({ ceiling: 0, unit: 'XXX' })
  const gathered: ClientStepEvent[] = []
  let wake: object | undefined
  let leaseCount = 0
  let watched: number | undefined
  let askedCars: ReadonlySet<PeerId> = new Set()
  interface VirtualCar {
    readonly id: PeerId
    work: CarWork
    alive: boolean
    wake: object | undefined
    /** When its worker has done what it was handed. */
    freeMs: number
    readonly stopped: Set<string>
  }
  const fleet = new Map<PeerId, VirtualCar>()

  function at(delay: number, act: () => void): void {
    events.push({ at: now + delay, order: order++, act })
  }
  const later = (act: () => void): void => at(delayMs * (steady ? 1 : 0.5 + random()), act)

  function stepClient(event: ClientStepEvent): void {
    if (gathersMs === 0) return obeyAll(clientStep(client, event, now))
    if (gathered.length === 0) at(gathersMs, () => obeyAll(clientSteps(client, gathered.splice(0), now)))
    gathered.push(event)
  }

  function obeyAll([next, effects]: ReturnType<typeof clientStep>): void {
    steps++
    client = next
    log.mostLeases = Math.max(log.mostLeases, client.leases.size)
    for (const lease of client.leases.values()) log.busiest = Math.max(log.busiest, lease.flights.size / lease.slots)
    for (const effect of effects) obey(effect)
  }

  function obey(effect: ClientEffect): void {
    switch (effect.type) {
      case 'discover':
        return at(delayMs * 2, () => {
          const idle = [...fleet.values()].filter(car => car.alive).length
          stepClient(idle > 0 ? { type: 'discovered', ask: effect.ask, idleCars: idle } : { type: 'undiscovered', ask: effect.ask, trouble: 'nobody is there' })
        })
      case 'announce': {
        log.announcedMs = now
        askedCars = new Set(fleet.keys())
        const hearers = [...fleet.values()].filter(car => car.alive && random() < effect.theta / 2 ** 32)
        for (const car of hearers)
          later(() =>
            stepCar(car, {
              type: 'announced',
              ask: String(effect.ask),
              client: CLIENT,
              model: MODEL,
              expiresMs: now + 30_000,
              asksAll: effect.theta >= 2 ** 32
            })
          )
        return at(1, () =>
          stepClient({ type: 'announced', ask: effect.ask, round: effect.round, recipients: [...fleet.values()].filter(car => car.alive).length })
        )
      }
      case 'watch':
        watched = effect.ask
        return seeNewCar()
      case 'award': {
        const lease = `lease-${leaseCount++}` as LeaseId
        return later(() => toCar(effect.car, { type: 'awarded', lease, client: CLIENT, model: MODEL, slots: effect.slots }))
      }
      case 'send': {
        const attempts = log.attempts.get(effect.task) ?? []
        log.attempts.set(effect.task, [...attempts, effect.attempt])
        return later(() =>
          toCar(effect.car, { type: 'task', lease: effect.lease, client: CLIENT, task: effect.task, attempt: effect.attempt, deadlineMs: effect.deadlineMs })
        )
      }
      case 'cancel':
        return later(() => toCar(effect.car, { type: 'cancelled', lease: effect.lease, client: CLIENT, task: effect.task, attempt: effect.attempt }))
      case 'lease-closed':
        if (effect.tell) later(() => toCar(effect.car, { type: 'released', lease: effect.lease, client: CLIENT }))
        return
      case 'deliver':
        log.times.set(effect.task, now)
        log.delivered.set(effect.task, (log.delivered.get(effect.task) ?? 0) + 1)
        return
      case 'fail':
        if (log.failed.has(effect.task)) throw new Error(`${effect.task} failed twice`)
        log.failed.set(effect.task, effect.code)
        return
      case 'drop-late':
        log.dropped++
        return
      case 'moved':
        log.moved++
        return
      case 'wake': {
        const token = {}
        wake = token
        return at(Math.max(0, effect.atMs - now), () => {
          if (wake === token) stepClient({ type: 'woken' })
        })
      }
    }
  }

  function toCar(id: PeerId, event: CarStepEvent): void {
    const car = fleet.get(id)
    if (car?.alive === true) stepCar(car, event)
  }

  function stepCar(car: VirtualCar, event: CarStepEvent): void {
    if (!car.alive) return
    steps++
    const [next, effects] = carStep(car.work, event, now)
    car.work = next
    for (const effect of effects) drive(car, effect)
  }

  const toClient = (car: VirtualCar, event: ClientStepEvent): void =>
    later(() => {
      if (car.alive || event.type === 'car-lost') stepClient(event)
    })

  function drive(car: VirtualCar, effect: CarEffect): void {
    switch (effect.type) {
      case 'offer':
        return toClient(car, { type: 'offered', ask: Number(effect.ask), offer: { car: car.id, offer: offerOf(effect), completionRate: 0.5, draw: random() } })
      case 'grant':
        return toClient(car, { type: 'granted', car: car.id, lease: effect.lease, slots: effect.slots, parallel: slots })
      case 'refuse':
        return toClient(car, { type: 'refused', car: car.id })
      case 'run':
        return startRun(car, effect.task)
      case 'abort':
        car.stopped.add(`${effect.task}/${effect.attempt}`)
        return
      case 'reply':
        log.ran++
        // Half of the results come before their receipts, as under load.
        if (!steady && random() < 0.5) toClient(car, { type: 'arrived', car: car.id, task: effect.task, attempt: effect.attempt })
        return at(steady ? 0 : delayMs * 2 + random() * 20, () =>
          toClient(car, { type: 'result', car: car.id, task: effect.task, attempt: effect.attempt, ranUs: runMs * 1000, roundTripMs: delayMs * 2 })
        )
      case 'fail': {
        const { task, attempt, code, message, retryable } = effect
        return toClient(car, { type: 'failed', car: car.id, task, attempt, code, message, retryable })
      }
      case 'tell-leaving':
        if (effect.clients.length > 0) toClient(car, { type: 'leaving', car: car.id, secondsLeft: effect.secondsLeft })
        return
      case 'gone':
        return
      case 'end-lease':
        return toClient(car, { type: 'lease-ended', car: car.id })
      case 'wake': {
        const token = {}
        car.wake = token
        return at(Math.max(0, effect.atMs - now), () => {
          if (car.wake === token) stepCar(car, { type: 'woken' })
        })
      }
    }
  }

  function startRun(car: VirtualCar, task: AdmittedTask): void {
    // The worker runs one after another.
    const startMs = Math.max(now, car.freeMs)
    car.freeMs = startMs + runMs * (steady ? 1 : 0.5 + random())
    at(car.freeMs - now, () => {
      if (car.stopped.has(`${task.task}/${task.attempt}`)) return
      const { lease, attempt } = task
      if (!steady && random() < 0.02)
        stepCar(car, { type: 'run-failed', lease, task: task.task, attempt, code: 'ERR_WORKER_DIED', message: 'the worker died', retryable: true })
      else stepCar(car, { type: 'ran', lease, task: task.task, attempt, ranUs: runMs * 1000 })
    })
  }

  function seeNewCar(): void {
    const ask = watched
    if (ask === undefined || [...fleet.keys()].every(id => askedCars.has(id))) return
    watched = undefined
    later(() => stepClient({ type: 'car-seen', ask }))
  }

  function addCar(): PeerId {
    const id = `car-${fleet.size}` as PeerId
    const car: VirtualCar = { id, work: initialCarWork({ slots }), alive: true, wake: undefined, freeMs: 0, stopped: new Set() }
    fleet.set(id, car)
    stepCar(car, { type: 'parked', models: [MODEL] })
    seeNewCar()
    return id
  }
  for (let index = 0; index < cars; index++) addCar()

  return {
    log,
    now: () => now,
    at,
    addCar,
    living: () => [...fleet.values()].filter(car => car.alive && car.work.phase === 'parked').map(car => car.id),
    submit: (task: TaskId, deadlineMs: number, targetMs = 500): void => stepClient({ type: 'submitted', task, deadlineMs: now + deadlineMs, targetMs }),
    cancel: (task: TaskId): void => stepClient({ type: 'cancelled', task }),
    /** The car vanishes without a word; its client notices after the silence. */
    kill: (id: PeerId): void => {
      const car = fleet.get(id)
      if (car === undefined) return
      car.alive = false
      at(2000, () => stepClient({ type: 'car-lost', car: id, reason: 'silence' }))
    },
    depart: (id: PeerId, secondsLeft: number): void => toCar(id, { type: 'departing', secondsLeft, reason: 'the driver came' }),
    /** Runs until nothing is due before `untilMs`. Throws when one moment never ends. */
    run: (untilMs: number): void => {
      for (;;) {
        let first = -1
        for (let index = 0; index < events.length; index++) {
          const candidate = events[index]
          const best = events[first]
          if (candidate !== undefined && (best === undefined || candidate.at < best.at || (candidate.at === best.at && candidate.order < best.order)))
            first = index
        }
        const next = events[first]
        if (next === undefined || next.at > untilMs) break
        events.splice(first, 1)
        if (next.at > now) steps = 0
        now = Math.max(now, next.at)
        next.act()
        if (steps > STEPS_AT_ONCE) throw new Error(`a busy loop at ${now} ms`)
      }
      now = untilMs
    },
    client: () => client,
    /** Leases that the living cars know of. */
    leasesHeld: () => [...fleet.values()].reduce((sum, car) => sum + (car.alive ? car.work.leases.size : 0), 0)
  }
}

function offerOf(effect: Extract<CarEffect, { type: 'offer' }>): Offer {
  const empty = new Uint8Array(0)
  return {
    v: 1,
    task: empty,
    round: 0,
    model: empty,
    car: empty,
    client: empty,
    slots: effect.slots,
    parallel: effect.parallel,
    queued: effect.queued,
    completionUs: effect.completionUs,
    runUs: effect.runUs,
    price: { perTask: 0, perItem: 0, per1kTokensIn: 0, per1kTokensOut: 0, unit: 'XXX' },
    stay: effect.stay,
    energyMj: null,
    issued: 0,
    expires: 0
  }
}
