import type { RunnableModel, Runner, RunnerOptions } from '../inference/runner.ts'
import type { StoredModel } from '../models/model.ts'
import type { ModelStore } from '../models/model-store.ts'
import type { ModelCid } from '../protocol/ids.ts'
import type { CarOptions } from './car.ts'

/** A model that is loaded in its worker. */
export interface LoadedModel {
  readonly cid: ModelCid
  readonly name: string
  readonly runner: Runner
}

/** What loading takes from the edges. */
export interface LoadModelsInit {
  readonly store: Pick<ModelStore, 'get' | 'list' | 'open'>
  readonly startRunner: (model: RunnableModel, options: RunnerOptions) => Promise<Runner>
  /** Throws `ERR_MODEL_NOT_ALLOWED` for a model that the owner's policy leaves out. */
  readonly checkPolicy: (model: StoredModel) => void
  readonly isAllowed: (model: StoredModel) => boolean
  /** Gives up and leaves no process behind. */
  readonly signal?: AbortSignal
}

/** Starts a worker for each model that the car is to hold: those named, else the newest version of each that its owner allows. */
export async function loadModels(init: LoadModelsInit, car: CarOptions): Promise<LoadedModel[]> {
  const chosen =
    car.models === undefined ? newestOfEach((await init.store.list()).filter(init.isAllowed)) : await Promise.all(car.models.map(name => init.store.get(name)))
  for (const model of chosen) init.checkPolicy(model)
  const settled = await Promise.allSettled(chosen.map(model => load(init, car, model)))
  const failed = settled.find(outcome => outcome.status === 'rejected')
  const loaded = settled.flatMap(outcome => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  if (failed === undefined) return loaded
  await Promise.all(loaded.map(({ runner }) => runner.stop()))
  throw failed.reason
}

async function load({ store, startRunner, signal }: LoadModelsInit, car: CarOptions, { cid }: StoredModel): Promise<LoadedModel> {
  const { manifest, folder } = await store.open(cid)
  const runner = await startRunner(
    { cid, task: manifest.task, folder, files: manifest.files.map(file => file.path), batching: manifest.batching ?? 'none' },
    {
      workers: car.slots ?? 1,
      ...(signal === undefined ? {} : { signal }),
      ...(car.memoryLimitBytes === undefined ? {} : { memoryLimitBytes: car.memoryLimitBytes }),
      onRestart: reason => car.onEvent?.({ type: 'worker-restarted', model: cid, reason })
    }
  )
  return { cid, name: manifest.name, runner }
}

/** `models` come newest first within a name. */
function newestOfEach(models: readonly StoredModel[]): readonly StoredModel[] {
  const seen = new Set<string>()
  return models.filter(({ manifest }) => {
    const key = `${manifest.name} ${Buffer.from(manifest.publisher).toString('hex')}`
    return !seen.has(key) && seen.add(key) !== undefined
  })
}
