import { expect, test } from 'vitest'
import { type AskedModel, createModelFinder } from '../../src/client/find-model.ts'
import type { Mesh } from '../../src/mesh/mesh.ts'
import { MotorpoolError } from '../../src/protocol/errors.ts'
import { cidOf } from '../../src/protocol/ids.ts'

/** A finder of models by name, which needs no mesh, over a store that answers late; with how often that was asked. */
function startFinder(answer: () => AskedModel): {
  readonly find: (name: string) => Promise<AskedModel>
  readonly asked: () => number
  readonly wait: (ms: number) => void
} {
  let count = 0
  let nowMs = 0
  const find = createModelFinder({
    mesh: {} as Mesh,
    stored: async () => {
      count++
      await Promise.resolve()
      return answer()
    },
    openManifest: () => {
      throw new Error('nothing is fetched')
    },
    monotonicMs: () => nowMs
  })
  return {
    find: async name => find(name, undefined),
    asked: () => count,
    wait: ms => {
      nowMs += ms
    }
  }
}

const model: AskedModel = {
  cid: cidOf(new Uint8Array(1)),
  manifest: {
    v: 1,
    name: 'known',
    task: 'tensors',
    version: 1,
    licence: 'MIT',
    publisher: new Uint8Array(32),
    files: [],
    inputs: [],
    outputs: [],
    numerics: { atol: 0, rtol: 0, comparator: 'tensors' },
    issued: 0
  }
}

test('tasks that come together ask the store once, and again after a while', async () => {
  const { find, asked, wait } = startFinder(() => model)
  expect(await Promise.all(Array.from({ length: 64 }, () => find('known')))).toEqual(Array(64).fill(model))
  expect(asked()).toBe(1)
  wait(60_000)
  await Promise.all([find('known'), find('known')])
  expect(asked()).toBe(2)
})

test('a name that the store did not know is asked for again', async () => {
  let known = false
  const { find, asked } = startFinder(() => {
    if (!known) throw new MotorpoolError('ERR_MODEL_UNKNOWN', 'no such model')
    return model
  })
  const both = await Promise.allSettled([find('known'), find('known')])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  known = true
  expect(await find('known')).toBe(model)
  expect(asked()).toBe(2)
})
