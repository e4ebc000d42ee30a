import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromWireValue, openFrame, type Wire, type WorkerRequest, workerFrame } from '../../src/inference/worker-frames.ts'
import { readReply } from '../../src/inference/worker-reply.ts'
import { createFrameReader } from '../../src/protocol/frames.ts'
import type { Value } from '../../src/protocol/tensor.ts'

const bytes = fc.uint8Array({ maxLength: 300 })
const parameter = fc.oneof(fc.maxSafeInteger(), fc.string({ unit: 'grapheme' }), fc.boolean(), fc.constant(null), bytes)
const someValue: fc.Arbitrary<Value> = fc.record({
  kind: fc.string(),
  parameters: fc.dictionary(fc.string({ unit: 'grapheme' }), parameter, { noNullPrototype: true }),
  tensors: fc.dictionary(
    fc.string({ unit: 'grapheme' }),
    bytes.map(data => ({ type: 'uint8' as const, dims: [data.length], data })),
    { noNullPrototype: true }
  )
})

/** The only frame in these bytes, delivered in pieces. */
function frameOf(parts: readonly Uint8Array[], piece: number): { parts: readonly Uint8Array[]; length: number } {
  const frames: { parts: readonly Uint8Array[]; length: number }[] = []
  const read = createFrameReader({ limit: 2 ** 24, onFrame: (body, length) => frames.push({ parts: body, length }) })
  const whole = Buffer.concat(parts)
  for (let at = 0; at < whole.length; at += piece) read(whole.subarray(at, at + piece))
  const [frame] = frames
  if (frame === undefined || frames.length !== 1) throw new Error(`${frames.length} frames`)
  return frame
}

test('a request reads as it was written, however it was cut on the way', () => {
  fc.assert(
    fc.property(someValue, fc.nat(), fc.integer({ min: 1, max: 999 }), (value, id, piece) => {
      const frame = frameOf(workerFrame({ type: 'run', id, value }), piece)
      const { head, take } = openFrame(frame.parts, frame.length)
      const request = head as Wire<WorkerRequest> & { type: 'run' }
      expect(request.id).toBe(id)
      expect(fromWireValue(request.value, take)).toEqual(value)
    })
  )
})

test('a reply reads as it was written, however it was cut on the way', () => {
  fc.assert(
    fc.property(someValue, fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.integer({ min: 1, max: 999 }), (value, digest, piece) => {
      const reply = { type: 'done', id: 7, value, digest, waitedUs: 1, ranUs: 2 } as const
      const frame = frameOf(workerFrame(reply), piece)
      expect(readReply(frame.parts, frame.length)).toEqual(reply)
    })
  )
})

test('no name of a parameter or tensor is special', () => {
  const names = ['__proto__', 'constructor', 'toString', '0', '']
  const tensor = { type: 'uint8' as const, dims: [1], data: Uint8Array.of(9) }
  const value: Value = {
    kind: 'k',
    parameters: Object.fromEntries(names.map(name => [name, 1])),
    tensors: Object.fromEntries(names.map(name => [name, tensor]))
  }
  const frame = frameOf(workerFrame({ type: 'done', id: 1, value, digest: new Uint8Array(32), waitedUs: 0, ranUs: 0 }), 7)
  const reply = readReply(frame.parts, frame.length)
  if (reply.type !== 'done') throw new Error(reply.type)
  for (const part of [reply.value.parameters, reply.value.tensors]) expect(Object.keys(part).toSorted()).toEqual(names.toSorted())
})

test('a reply that is cut off, is no JSON, or claims another shape throws', () => {
  const value = { kind: 'tensors', parameters: {}, tensors: { y: { type: 'float32' as const, dims: [2], data: new Uint8Array(8) } } }
  const { parts, length } = frameOf(workerFrame({ type: 'done', id: 1, value, digest: new Uint8Array(32), waitedUs: 0, ranUs: 0 }), 1000)
  const whole = Buffer.concat(parts)
  for (let cut = 0; cut < length; cut++) expect(() => readReply([whole.subarray(0, cut)], cut)).toThrow()
  const lying = Buffer.from(whole.toString('latin1').replace('"dims":[2]', '"dims":[9]'), 'latin1')
  expect(() => readReply([lying], length)).toThrow('does not fit its shape')
})
