import { expect, test } from 'vitest'
import { prepareInput } from '../../../src/client/tasks/prepare-input.ts'
import type { ModelManifest } from '../../../src/models/model.ts'
import type { Tensor } from '../../../src/protocol/tensor.ts'

const manifest: ModelManifest = {
  v: 1,
  name: 'model',
  version: 1,
  task: 'tensors',
  files: [],
  inputs: [{ name: 'x', type: 'float32', dims: ['rows', 2] }],
  outputs: [{ name: 'y', type: 'float32', dims: ['rows', 2] }],
  numerics: { comparator: 'tensors', atol: 0, rtol: 0 },
  licence: 'MIT',
  publisher: new Uint8Array(32),
  issued: 0
}
const x: Tensor = { type: 'float32', dims: [1, 2], data: new Uint8Array(Float32Array.of(1.5, -2).buffer) }
const half: Tensor = { type: 'float16', dims: [1, 2], data: new Uint8Array(Uint16Array.of(0x3e00, 0xc000).buffer) }

test('float32 inputs travel as float16 when the task says so, from unaligned bytes too, and never otherwise', () => {
  const unaligned = { ...x, data: Buffer.concat([Uint8Array.of(0), x.data]).subarray(1) }
  for (const given of [x, unaligned, half]) expect(prepareInput(manifest, { x: given }, { travel: 'float16' }).tensors).toEqual({ x: half })
  expect(prepareInput(manifest, { x }).tensors).toEqual({ x })
  expect(() => prepareInput(manifest, { x: half })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_INPUT' }))
})

test('what the model does not have is refused before a car is asked', () => {
  const wrong: readonly Record<string, string>[] = [{ outputs: 'z' }, { 'reduce.y': 'median' }, { 'reduce.y': 'mean-pool(mask)' }, { travel: 'int8' }]
  for (const parameters of wrong) expect(() => prepareInput(manifest, { x }, parameters)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_INPUT' }))
  expect(prepareInput(manifest, { x }, { 'reduce.y': 'argmax' }).parameters).toEqual({ 'reduce.y': 'argmax' })
})
