import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openModelStore } from '../src/models/model-store.ts'
import { signerFromSeed } from '../src/protocol/signer.ts'
import { ask, createScratch, forkReady, stopChild } from './child-processes.ts'
import type { CarProcessInit, CarReport } from './processes/car.ts'
import type { Workload } from './workloads.ts'

interface FleetCar {
  readonly addresses: readonly string[]
  readonly peerId: string
  readonly child: ChildProcess
}

/** Real car processes on loopback that hold given models. */
export interface CarFleet {
  /** Temporary; processes that belong to the fleet may keep theirs here. */
  readonly folder: string
  readonly modelFolder: string
  readonly cars: readonly FleetCar[]
  report: () => Promise<readonly CarReport[]>
  stop: () => Promise<void>
}

/** Cars started at once: each start is a second of CPU, so a small machine takes a few at a time. */
const STARTED_AT_ONCE = 2

/** The bytes of an ONNX file, or where a model lies. */
type FleetModel = Uint8Array | Pick<Workload, 'modelPath' | 'task'>

/** Publishes models by name and starts cars that run them, each joining through the first two. */
export async function startCarFleet(
  count: number,
  models: Readonly<Record<string, FleetModel>>,
  options: Pick<CarProcessInit, 'slots' | 'pretendMs' | 'watchesLoop'> = {}
): Promise<CarFleet> {
  const scratch = createScratch()
  const { folder } = scratch
  const publisher = signerFromSeed(createHash('sha256').update('motorpool bench').digest())
  const modelFolder = join(folder, 'models')
  const store = await openModelStore(modelFolder)
  for (const [name, model] of Object.entries(models)) {
    const file = join(folder, `${name}.onnx`)
    if (model instanceof Uint8Array) writeFileSync(file, model)
    await (model instanceof Uint8Array ? store.add(file, { name, publisher }) : store.add(model.modelPath, { name, task: model.task, publisher }))
  }
  const cars: FleetCar[] = []
  const start = async (): Promise<void> => {
    const init: CarProcessInit = {
      ...options,
      modelFolder,
      publisher: Buffer.from(publisher.publicKey).toString('hex'),
      join: cars.slice(0, 2).flatMap(car => car.addresses.slice(0, 1))
    }
    const { child, ready } = await forkReady<Omit<FleetCar, 'child'>>('car', init, { scratch: folder })
    cars.push({ ...ready, child })
  }
  const stop = async (): Promise<void> => {
    await Promise.all(cars.map(({ child }) => stopChild(child)))
    scratch.remove()
  }
  try {
    await start()
    if (count > 1) await start()
    while (cars.length < count) await Promise.all(Array.from({ length: Math.min(STARTED_AT_ONCE, count - cars.length) }, start))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    folder,
    modelFolder,
    cars,
    report: () => Promise.all(cars.map(({ child }) => ask<CarReport>(child, 'report'))),
    stop
  }
}
