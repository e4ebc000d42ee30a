import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HEAD } from '../../src/inference/socket/frame-format.ts'
import { createFrameReader } from '../../src/inference/socket/frame-reader.ts'
import { createFrameWriter } from '../../src/inference/socket/frame-writer.ts'
import { createReplyReader } from '../../src/inference/socket/read-reply.ts'
import { createRequestReader } from '../../src/inference/socket/read-request.ts'
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

// One of each for all, as between a peer and its worker: what they remember of the last message must never show.
const workerFrame = createFrameWriter()
const readRequest = createRequestReader()
const readReply = createReplyReader()

/** The only frame in these bytes, delivered in pieces. */
function frameOf(parts: readonly Uint8Array[], piece: number): Uint8Array<ArrayBuffer> {
  const frames: Uint8Array<ArrayBuffer>[] = []
  const read = createFrameReader(body => frames.push(body))
  const whole = Buffer.concat(parts)
  for (let at = 0; at < whole.length; at += piece) read(whole.subarray(at, at + piece))
  const [frame] = frames
  if (frame === undefined || frames.length !== 1) throw new Error(`${frames.length} frames`)
  return frame
}

const done = { type: 'done', id: 7, digest: new Uint8Array(32).fill(5), waitedUs: 1, ranUs: 2, together: 3 } as const

test('a request reads as it was written, however it was cut on the way', () => {
  fc.assert(
    fc.property(someValue, fc.nat(), fc.boolean(), fc.integer({ min: 1, max: 999 }), (value, id, alone, piece) => {
      const request = readRequest(frameOf(workerFrame({ type: 'run', id, value, limitMs: 9, alone }), piece))
      expect(request).toMatchObject({ type: 'run', id, limitMs: 9, alone, value })
      expect(readRequest(frameOf(workerFrame({ type: 'drop', id }), piece))).toEqual({ type: 'drop', id })
    })
  )
})

test('a reply reads as it was written, however it was cut on the way', () => {
  fc.assert(
    fc.property(someValue, fc.integer({ min: 1, max: 999 }), (value, piece) => {
      expect(readReply(frameOf(workerFrame({ ...done, value }), piece))).toEqual({ ...done, value })
    })
  )
})

test('tensors lie where typed arrays of any width can view them, in frames small and large', () => {
  for (const size of [1, 7, 8, 9, 40_000]) {
    const tensor = { type: 'uint8' as const, dims: [size], data: new Uint8Array(size).fill(size) }
    const reply = readReply(frameOf(workerFrame({ ...done, value: { kind: 'k', parameters: {}, tensors: { a: tensor, b: tensor } } }), 65_536))
    if (reply.type !== 'done') throw new Error(reply.type)
    for (const { data } of Object.values(reply.value.tensors)) expect([data.byteOffset % 8, Buffer.compare(data, tensor.data)]).toEqual([0, 0])
  }
})

test('a frame that announces too much is refused before it is buffered', () => {
  const read = createFrameReader(() => {})
  expect(() => read(Uint8Array.of(0xff, 0xff, 0xff, 0xff))).toThrow('at most')
})

test('no name of a parameter or tensor is special', () => {
  const names = ['__proto__', 'constructor', 'toString', '0', '']
  const tensor = { type: 'uint8' as const, dims: [1], data: Uint8Array.of(9) }
  const value: Value = {
    kind: 'k',
    parameters: Object.fromEntries(names.map(name => [name, 1])),
    tensors: Object.fromEntries(names.map(name => [name, tensor]))
  }
  const reply = readReply(frameOf(workerFrame({ ...done, value }), 7))
  if (reply.type !== 'done') throw new Error(reply.type)
  for (const part of [reply.value.parameters, reply.value.tensors]) expect(Object.keys(part).toSorted()).toEqual(names.toSorted())
})

test('a reply that is cut off, is no JSON, or claims another shape throws', () => {
  const value = { kind: 'tensors', parameters: {}, tensors: { y: { type: 'float32' as const, dims: [2], data: new Uint8Array(8) } } }
  const whole = frameOf(workerFrame({ ...done, value }), 1000)
  for (let cut = 0; cut < whole.length; cut++) expect(() => readReply(whole.slice(0, cut))).toThrow()
  const lying = Buffer.from(Buffer.from(whole).toString('latin1').replace('"dims":[2]', '"dims":[9]'), 'latin1')
  expect(() => readReply(new Uint8Array(lying))).toThrow('does not fit its shape')
})

test('a reply of which any part is of another kind throws, also behind good ones', () => {
  const value = { kind: 'tensors', parameters: { a: 1 }, tensors: { y: { type: 'float32' as const, dims: [2], data: new Uint8Array(8) } } }
  const good = frameOf(workerFrame({ ...done, value }), 1000)
  const text = '{"kind":"tensors","parameters":[["a",1]],"tensors":[{"name":"y","type":"float32","dims":[2],"size":8}]}'
  expect(Buffer.from(good).toString('latin1')).toContain(text)
  const wrong: readonly (readonly [was: string, now: string])[] = [
    ['"kind":"tensors"', '"kind":  [1,2,3]'],
    ['"kind":"tensors"', '"keen":"tensors"'],
    ['[["a",1]]', '[["a"  ]]'],
    ['[["a",1]]', '[[123,1]]'],
    ['[["a",1]]', '[["",.5]]'],
    ['[["a",1]]', '[["",[]]]'],
    ['[["a",1]]', '{"a":  1}'],
    ['"y"', '123'],
    ['"float32"', '"float33"'],
    ['"float32"', '"__proto"'],
    ['[2]', '[-]'],
    ['[2]', '"2"'],
    ['[2]', '[3]'],
    ['"size":8', '"size":7'],
    ['"size":8', '"sane":8']
  ]
  for (const [was, now] of wrong) {
    const lying = new Uint8Array(Buffer.from(Buffer.from(good).toString('latin1').replace(was, now), 'latin1'))
    expect(lying).toHaveLength(good.length)
    expect(() => readReply(lying), now).toThrow()
    expect(readReply(good)).toEqual({ ...done, value })
  }
  const heads: readonly ((head: DataView) => void)[] = [
    head => head.setFloat64(HEAD.id, -1, true),
    head => head.setFloat64(HEAD.id, 0.5, true),
    head => head.setFloat64(HEAD.ranUs, Number.NaN, true),
    head => head.setFloat64(HEAD.waitedUs, 2 ** 53, true),
    head => head.setUint32(HEAD.together, 0, true),
    head => head.setUint8(HEAD.type, 0),
    head => head.setUint8(HEAD.type, 9),
    head => head.setUint8(HEAD.type, 3)
  ]
  for (const change of heads) {
    const lying = good.slice()
    change(new DataView(lying.buffer))
    expect(() => readReply(lying)).toThrow()
  }
})

test('a failure reads as it was written, and one without a known code throws', () => {
  const failed = { type: 'failed', id: 3, code: 'ERR_RUN_FAILED', message: 'no; “yes”' } as const
  const good = frameOf(workerFrame(failed), 5)
  expect(readReply(good)).toEqual(failed)
  const lying = Buffer.from(Buffer.from(good).toString('latin1').replace('ERR_RUN_FAILED', 'ERR_RAN_FAILED'), 'latin1')
  expect(() => readReply(new Uint8Array(lying))).toThrow()
})
