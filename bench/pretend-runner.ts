import { setTimeout } from 'node:timers/promises'
import type { LoadModelsInit } from '../src/car/load-models.ts'
import { valueDigest } from '../src/protocol/digest.ts'
import { MotorpoolError } from '../src/protocol/errors.ts'

const NUMERICS = { ep: 'pretend', ort: '0', arch: process.arch, isa: 'none', opt: 'none', device: 'pretend', threads: 1 } as const

/**
 * Stands for an accelerator, which works without the CPU: a task holds the runner for `holdMs` and gives its input back, as
 * the no-op model would. Tasks run one at a time, in their order.
 */
export function pretendRunner(holdMs: number): LoadModelsInit['startRunner'] {
  return async model => {
    let line: Promise<unknown> = Promise.resolve()
    let stopped = false
    return {
      model,
      numerics: NUMERICS,
      signature: { inputs: [{ name: 'x', type: 'uint8', dims: [null] }], outputs: [{ name: 'y', type: 'uint8', dims: [null] }] },
      pids: [],
      run: async ({ input }, { signal } = {}) => {
        const acceptedMs = performance.now()
        const before = line
        const turn = Promise.withResolvers<void>()
        line = turn.promise
        try {
          await before
          if (stopped || signal?.aborted === true) throw new MotorpoolError('ERR_STOPPED', 'the runner has stopped; start another')
          const beganMs = performance.now()
          await setTimeout(holdMs)
          const output = { kind: input.kind, parameters: {}, tensors: Object.fromEntries(Object.values(input.tensors).map(tensor => ['y', tensor])) }
          const queuedUs = Math.round((beganMs - acceptedMs) * 1000)
          return { output, digest: valueDigest(output), queuedUs, ranUs: Math.round((performance.now() - beganMs) * 1000), together: 1 }
        } finally {
          turn.resolve()
        }
      },
      stop: async () => {
        stopped = true
      }
    }
  }
}
