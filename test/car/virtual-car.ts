import { type AdmittedTask, type CarSettings, type CarStepEvent, type CarWork, initialCarWork } from '../../src/car/car-state.ts'
import { carStep } from '../../src/car/car-step.ts'
import type { LeaseId, ModelCid, PeerId, TaskId } from '../../src/protocol/ids.ts'

export interface VirtualClient {
  readonly name: string
  readonly model?: string
  readonly weight?: number
}

/** One car run by its real step under a virtual clock; its worker takes what it was handed in order, one or a batch at a time. */
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
  const handed: AdmittedTask[] = []
  let running: readonly AdmittedTask[] = []
  const ended: { readonly lease: LeaseId; readonly client: PeerId }[] = []
  const offers: PeerId[] = []
  const refused: PeerId[] = []
  let busyMs = 0
  const at = (atMs: number, act: () => void): void => void due.push({ atMs, act })

  function step(event: CarStepEvent): void {
    const [next, effects] = carStep(work, event, now)
    work = next
    for (const effect of effects) {
      if (effect.type === 'run') handed.push(effect.task)
      else if (effect.type === 'wake') at(effect.atMs, () => step({ type: 'woken' }))
      else if (effect.type === 'end-lease') ended.push({ lease: effect.lease, client: effect.client })
      else if (effect.type === 'offer') offers.push(effect.client)
      else if (effect.type === 'refuse') refused.push(effect.client)
    }
    begin()
  }

  function begin(): void {
    const first = handed[0]
    if (running.length > 0 || first === undefined) return
    running = handed.filter(({ model }) => model === first.model).slice(0, init.batch ?? 1)
    for (const task of running) handed.splice(handed.indexOf(task), 1)
    const ranMs = init.runMs(running.length, first.model)
    at(now + ranMs, () => {
      busyMs += ranMs
      const done = running
      running = []
      // What is in the worker begins at once; what the replies make room for comes after.
      begin()
      for (const { lease, task, attempt, client } of done) {
        step({ type: 'ran', lease, task, attempt, ranUs: (ranMs * 1000) / done.length })
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
