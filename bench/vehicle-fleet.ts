import { type ChildProcess, fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { SignalPath, SignalValue } from '../src/protocol/vehicle/signals.ts'
import { VEHICLE_SIGNALS } from '../src/protocol/vehicle/signals.ts'
import { PARKED, PATHS } from '../test/energy/parked-signals.ts'
import { type KuksaBroker, startKuksaBroker } from '../test/vehicle/kuksa-broker.ts'
import { stopChild } from './child-processes.ts'
import type { VehicleCarInit, VehicleCarNews } from './processes/vehicle-car.ts'

/** A car process and the databroker of its vehicle. */
export interface VehicleCar {
  /** Its peer id of now; undefined while it is away. */
  readonly peerId: () => string | undefined
  /** Publishes signals and measures from there, ms: until the car told that it admits no more, and until none of its workers' processes is there. */
  readonly leave: (
    changed: Partial<Record<SignalPath, SignalValue>>
  ) => Promise<{ readonly signalMs: number; readonly closedMs: number; readonly goneMs: number }>
  /** Takes the signals back; resolves when the car is on the mesh again. */
  readonly park: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Longer than any departure or join on a busy machine; then the bench gives up. */
const PATIENCE_MS = 60_000
const POLL_MS = 2

/** Starts a car whose vehicle is parked and fit, and waits until it has joined. */
export async function startVehicleCar(init: Omit<VehicleCarInit, 'broker'>, scratch: string): Promise<VehicleCar> {
  const broker = await startKuksaBroker({ paths: PATHS })
  const publish = (values: Partial<Record<SignalPath, SignalValue>>): void => {
    for (const path of Object.keys(values) as SignalPath[]) publishOne(broker, path, values[path])
  }
  publish(PARKED)
  // Both are plans of a day that has passed.
  for (const path of PATHS.filter(each => each.endsWith('.TargetTime') || each.endsWith('Timer.Time'))) broker.publish(path)
  const child = fork(new URL('./processes/vehicle-car.ts', import.meta.url), [JSON.stringify({ ...init, broker: broker.address() })], {
    env: { ...process.env, TMPDIR: scratch }
  })
  let here: Extract<VehicleCarNews, { type: 'here' }> | undefined
  const next = (type: VehicleCarNews['type']): Promise<number> => nextNews(child, type)
  child.on('message', (news: VehicleCarNews) => {
    if (news.type === 'here') here = news
    if (news.type === 'closed' || news.type === 'away') here = undefined
  })
  const stop = async (): Promise<void> => {
    await stopChild(child)
    broker.kill()
  }
  try {
    await next('here')
  } catch (error) {
    await stop()
    throw error
  }
  return {
    peerId: () => here?.peerId,
    leave: async changed => {
      // On a busy machine a broker that doesn't answer in time sends the car away, too.
      if (here === undefined) await next('here')
      const workers = here?.workerPids ?? []
      const [closed, away] = [next('closed'), next('away')]
      const signalMs = performance.now()
      publish(changed)
      const [closedMs, goneMs] = await Promise.all([closed, untilGone(workers), away])
      return { signalMs, closedMs: closedMs - signalMs, goneMs: goneMs - signalMs }
    },
    park: async () => {
      const joined = next('here')
      publish(PARKED)
      await joined
    },
    stop
  }
}

/** When the next news of a kind came, by this process's clock: what the way through the channel takes is counted in. */
function nextNews(child: ChildProcess, type: VehicleCarNews['type']): Promise<number> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      clearTimeout(timer)
      child.off('message', hear)
      child.off('exit', exited)
      settle()
    }
    const hear = (news: VehicleCarNews): void => {
      const nowMs = performance.now()
      if (news.type === type) end(() => resolve(nowMs))
    }
    const exited = (): void => end(() => reject(new Error(`a car ended before it was ${type}`)))
    const timer = setTimeout(() => end(() => reject(new Error(`a car was not ${type} within ${PATIENCE_MS} ms`))), PATIENCE_MS)
    child.on('message', hear)
    child.on('exit', exited)
  })
}

async function untilGone(pids: readonly number[]): Promise<number> {
  const until = performance.now() + PATIENCE_MS
  while (pids.some(pid => existsSync(`/proc/${pid}`))) {
    if (performance.now() > until) throw new Error(`workers ${pids.join(', ')} are there after ${PATIENCE_MS} ms`)
    await delay(POLL_MS)
  }
  return performance.now()
}

function publishOne(broker: KuksaBroker, path: SignalPath, value: SignalValue | undefined): void {
  const { kind } = VEHICLE_SIGNALS[path]
  if (path.endsWith('.TargetTime') || path.endsWith('Timer.Time')) return
  const type = kind === 'boolean' ? 'bool' : kind === 'float' ? 'float' : kind === 'integer' ? 'int32' : 'string'
  broker.publish(path, { [type]: value }, Date.now())
}
