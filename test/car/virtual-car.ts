import { type AdmittedTask, type CarSettings, type CarStepEvent, type CarWork, initialCarWork } from '../../src/car/car-state.ts'
import { carStep } from '../../src/car/car-step.ts'
import type { LeaseId, ModelCid, PeerId, TaskId } from '../../src/protocol/ids.ts'

export interface VirtualClient {
  readonly name: string
  readonly model?: string
  readonly weight?: number
}

interface Worker {
  readonly handed: AdmittedTask[]
  running: readonly AdmittedTask[]
}

/** One car run by its real step under a virtual clock; each of its workers takes what it was handed in order, one or a batch at a time. */
export function createVirtualCar(init: {
  readonly settings: Pick<CarSettings, 'slots'> & Partial<CarSettings>
  /** Time of a run of so many tasks of a model, ms. */
  readonly runMs: (together: number, model: string) => number
  /** Most tasks in a run. */
  readonly batch?: number
  readonly onDone: (task: TaskId, client: PeerId, nowMs: number) => void
}) {
  let now = 0
  let work: CarWork = initialCarWork(init.settings)
  const due: { readonly atMs: number; readonly act: () => void }[] = []
  const workers = Array.from({ length: init.settings.slots }, (): Worker => ({ handed: [], running: [] }))
  const ended: { readonly lease: LeaseId; readonly client: PeerId }[] = []
  const offers: PeerId[] = []
  const refused: PeerId[] = []
  let busyMs = 0
  const at = (atMs: number, act: () => void): void => void due.push({ atMs, act })

  function step(event: CarStepEvent): void {
    const [next, effects] = carStep(work, event, now)
    work = next
    for (const effect of effects) {
      if (effect.type === 'run') leastLoaded().handed.push(effect.task)
      else if (effect.type === 'wake') at(effect.atMs, () => step({ type: 'woken' }))
      else if (effect.type === 'end-lease') ended.push({ lease: effect.lease, client: effect.client })
      else if (effect.type === 'offer') offers.push(effect.client)
      else if (effect.type === 'refuse') refused.push(effect.client)
    }
    for (const worker of workers) begin(worker)
  }

  function leastLoaded(): Worker {
    const load = ({ handed, running }: Worker): number => handed.length + running.length
    return workers.reduce((least, worker) => (load(worker) < load(least) ? worker : least))
  }

  function begin(worker: Worker): void {
    const { handed } = worker
    const first = handed[0]
    if (worker.running.length > 0 || first === undefined) return
    const together = handed.filter(({ model }) => model === first.model).slice(0, init.batch ?? 1)
    worker.running = together
    for (const task of together) handed.splice(handed.indexOf(task), 1)
    const ranMs = init.runMs(together.length, first.model)
    at(now + ranMs, () => {
      busyMs += ranMs
      worker.running = []
      // What is in the worker begins at once; what the replies make room for comes after.
      begin(worker)
      for (const { lease, task, attempt, client } of together) {
        step({ type: 'ran', lease, task, attempt, ranUs: (ranMs * 1000) / together.length })
        init.onDone(task, client, now)
      }
    })
  }

  step({ type: 'parked', models: ['model', 'other'] as ModelCid[] })
  return {
    at,
    now: () => now,
    work: () => work,
    ended,
    offers,
    refused,
    /** Time that the worker ran. */
    busyMs: () => busyMs,
    step,
    award: ({ name, model = 'model', weight }: VirtualClient): void =>
      step({
        type: 'awarded',
        lease: `lease-${name}` as LeaseId,
        client: name as PeerId,
        model: model as ModelCid,
        slots: 512,
        ...(weight === undefined ? {} : { weight })
      }),
    send: (name: string, task: string): void =>
      step({
        type: 'task',
        lease: `lease-${name}` as LeaseId,
        client: name as PeerId,
        task: task as TaskId,
        attempt: 1,
        deadlineMs: Number.POSITIVE_INFINITY
      }),
    run: (untilMs: number): void => {
      for (;;) {
        const next = due.reduce<(typeof due)[number] | undefined>((first, each) => (first === undefined || each.atMs < first.atMs ? each : first), undefined)
        if (next === undefined || next.atMs > untilMs) break
        due.splice(due.indexOf(next), 1)
        now = Math.max(now, next.atMs)
        next.act()
      }
      now = untilMs
    }
  }
}
