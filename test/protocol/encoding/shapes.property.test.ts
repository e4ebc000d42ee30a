import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { type Flush, flushSchema, flushShape } from '../../../src/ledger/flush.ts'
import { type Leaf, leafSchema, leafShape } from '../../../src/ledger/leaf.ts'
import { decodeCbor, encodeCbor } from '../../../src/protocol/cbor.ts'
import { controlSchema, receiptsShape } from '../../../src/protocol/control.ts'
import type { Shape } from '../../../src/protocol/encoding/shape.ts'
import { decodeShape, encodeShape } from '../../../src/protocol/encoding/shape-codec.ts'
import { isMotorpoolError } from '../../../src/protocol/errors.ts'
import { LIMITS } from '../../../src/protocol/limits.ts'
import { TENSOR_TYPES, type TensorType } from '../../../src/protocol/tensor.ts'
import { type ResultHead, resultShape, type TaskHead, taskShape, transferSchema } from '../../../src/protocol/transfer.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const bytesUpTo = (maxLength: number) => fc.uint8Array({ maxLength })
/** As many of each length on the wire. */
const integer = fc.oneof(
  fc.nat(30),
  fc.nat(300),
  fc.nat(70_000),
  fc.maxSafeNat(),
  fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1)
)
const count = integer.map(value => Math.max(1, value))
const isText = (text: string) => text.isWellFormed() && !text.startsWith('\uFEFF')
const word = fc.oneof(
  fc.constantFrom('tensors', 'input_ids', 'output', 'a', '10'),
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }).filter(isText)
)
const name = word.filter(text => text.length > 0 && text !== '__proto__' && text !== '/')
const scalar = fc.oneof(fc.constant(null), fc.boolean(), fc.maxSafeInteger(), integer, word, bytesUpTo(80))
const common = {
  lease: bytes(32),
  task: bytes(16),
  attempt: count,
  kind: name,
  parameters: fc.dictionary(name, scalar, { maxKeys: 4, noNullPrototype: true }),
  tensors: fc.array(fc.tuple(name, fc.constantFrom(...(Object.keys(TENSOR_TYPES) as TensorType[])), fc.array(integer, { maxLength: 5 }), integer), {
    maxLength: 4
  })
}
const task: fc.Arbitrary<TaskHead> = fc.record({ ...common, type: fc.constant('task' as const), salt: bytes(32), input: bytes(32), deadlineMs: integer })
const proof = fc.record({ flush: bytesUpTo(300), leaf: bytesUpTo(300), index: integer, path: fc.array(bytes(32), { maxLength: 6 }) })
const result: fc.Arbitrary<ResultHead> = fc.record(
  { ...common, type: fc.constant('result' as const), part: integer, proof },
  { requiredKeys: ['lease', 'task', 'attempt', 'kind', 'parameters', 'tensors', 'type', 'part'] }
)
const receipts = fc.record({
  type: fc.constant('receipts' as const),
  lease: bytes(32),
  flush: bytesUpTo(400),
  leaves: fc.array(bytesUpTo(300), { minLength: 1, maxLength: 8 })
})
const leaf: fc.Arbitrary<Leaf> = fc.record({
  seq: integer,
  task: bytes(16),
  attempt: count,
  part: integer,
  input: bytes(32),
  output: bytes(32),
  tokens: fc.option(
    fc.tuple(integer, integer, bytes(32), bytes(32)).map(([one, other, prev, end]) => ({ from: Math.min(one, other), to: Math.max(one, other), prev, end }))
  ),
  together: count,
  units: fc.record({ items: integer, tokensIn: integer, tokensOut: integer }),
  times: fc.record({ at: fc.nat(10 ** 8).map(minute => 60 * minute), queuedUs: integer, ranUs: integer }),
  energy: fc.oneof(
    fc.constant({ marginalMj: 0, attributedMj: 0, by: 'unknown' as const }),
    fc.record({ marginalMj: integer, attributedMj: integer, by: fc.constantFrom('estimated' as const, 'measured' as const, 'declared' as const) })
  ),
  price: fc.record({ amount: integer, unit: fc.constantFrom('EUR', 'XXX', 'USD') })
})
const flush: fc.Arbitrary<Flush> = fc.record({
  v: fc.constant(1 as const),
  client: bytes(32),
  car: bytes(32),
  lease: bytes(32),
  model: bytesUpTo(64),
  class: fc.record({ ep: word, ort: word, arch: word, isa: word, opt: word, device: word, threads: integer }),
  root: bytes(32),
  size: fc.integer({ min: 1, max: 2 ** 31 })
})

interface Shaped {
  readonly of: string
  readonly shape: Shape
  readonly schema: z.ZodType<unknown>
  readonly limit: number
  readonly values: fc.Arbitrary<object>
}

const shaped: readonly Shaped[] = [
  { of: 'a task', shape: taskShape, schema: transferSchema, limit: LIMITS.transferHead, values: task },
  { of: 'a result', shape: resultShape, schema: transferSchema, limit: LIMITS.transferHead, values: result },
  { of: 'receipts', shape: receiptsShape, schema: controlSchema, limit: LIMITS.controlFrame, values: receipts },
  { of: 'a leaf', shape: leafShape, schema: leafSchema, limit: LIMITS.signedMessage, values: leaf },
  { of: 'a flush', shape: flushShape, schema: flushSchema, limit: LIMITS.signedMessage, values: flush }
]

/** What the libraries make of it; undefined when they refuse. */
function accepted(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    if (!isMotorpoolError(error)) throw error
    return undefined
  }
}

/** Text that a reader can't tell from a replacement is left to the library. */
const isForShape = (value: unknown) => !JSON.stringify(value).includes('\uFFFD') && !(typeof value === 'object' && value !== null && 'ext' in value)

function expectAgreed({ shape, schema, limit }: Shaped, changed: Uint8Array): void {
  const found = decodeShape(shape, changed)
  const right = accepted(() => decodeCbor(changed, schema, limit))
  if (found !== undefined || (right !== undefined && isForShape(right))) expect(found).toEqual(right)
}

/** A message's fields, each as its key's and its value's bytes. */
const fieldsOf = (value: object): Uint8Array[] =>
  Object.entries(value)
    .sort(([left], [right]) => left.length - right.length || (left < right ? -1 : 1))
    .map(([key, item]) => Buffer.concat([encodeCbor(key), encodeCbor(item)]))
const messageOf = (fields: readonly Uint8Array[]) => new Uint8Array(Buffer.concat([Uint8Array.of(0xa0 | fields.length), ...fields]))

describe.each(shaped)('the shape of $of', one => {
  const { shape, schema, limit, values } = one
  const fits = values.filter(value => encodeCbor(value).length <= limit)

  it('writes the bytes of the library, and reads what the library reads', () => {
    fc.assert(
      fc.property(fits, value => {
        const encoded = encodeCbor(value)
        const written = encodeShape(shape, value)
        const isAscii = !('parameters' in value) || Object.keys(value.parameters as object).every(key => Buffer.byteLength(key) === key.length)
        if (written !== undefined || isAscii) expect(written).toEqual(encoded)
        const library = decodeCbor(encoded, schema, limit)
        expect(library).toEqual(value)
        if (isForShape(value)) expect(decodeShape(shape, encoded)).toStrictEqual(library)
      }),
      { numRuns: 300 }
    )
  })

  it('reads from the middle of a buffer, and lets go of it', () => {
    fc.assert(
      fc.property(fits.filter(isForShape), fc.nat(9), (value, before) => {
        const encoded = encodeCbor(value)
        const whole = Buffer.concat([new Uint8Array(before), encoded, new Uint8Array(9)])
        const read = decodeShape(shape, whole.subarray(before, before + encoded.length))
        expect(read).toEqual(value)
        whole.fill(0)
        expect(read).toEqual(value)
      }),
      { numRuns: 50 }
    )
  })

  it('agrees with the library on changed bytes', () => {
    const change = fc.record({
      at: fc.nat(),
      what: fc.constantFrom('flip', 'cut', 'insert', 'drop', 'longer'),
      byte: fc.oneof(fc.nat(255), fc.constantFrom(0x60, 0x80, 0xa0, 0xf4, 0xf6, 0xf7, 0x1b, 0x38, 0x58))
    })
    fc.assert(
      fc.property(fits, change, (value, { at: anywhere, what, byte }) => {
        const encoded = [...encodeCbor(value)]
        const at = anywhere % encoded.length
        const old = encoded[at] ?? 0
        if (what === 'cut') encoded.length = at
        else if (what === 'insert') encoded.splice(at, 0, byte)
        else if (what === 'drop') encoded.splice(at, 1)
        else if (what === 'flip') encoded[at] = old ^ (1 << (byte % 8))
        else encoded.splice(at, 1, (old & 0xe0) | 24, old & 0x1f)
        expectAgreed(one, Uint8Array.from(encoded))
      }),
      { numRuns: 1000 }
    )
  })

  it('agrees with the library on fields that are swapped, twice there, missing, unknown or of another type', () => {
    const change = fc.record({ first: fc.nat(), second: fc.nat(), what: fc.constantFrom('swap', 'twice', 'drop', 'other', 'add', 'none'), item: scalar })
    fc.assert(
      fc.property(fits, change, (value, { first, second, what, item }) => {
        const fields = fieldsOf(value)
        expect(messageOf(fields)).toEqual(encodeCbor(value))
        const [one_, other] = [first % fields.length, second % fields.length]
        const [left = new Uint8Array(), right = new Uint8Array()] = [fields[one_], fields[other]]
        const key = left.subarray(0, 1 + ((left[0] ?? 0) & 0x1f))
        if (what === 'swap') [fields[one_], fields[other]] = [right, left]
        else if (what === 'twice') fields.splice(one_, 0, right)
        else if (what === 'drop') fields.splice(one_, 1)
        else if (what === 'other') fields[one_] = Buffer.concat([key, encodeCbor(item)])
        else if (what === 'add') fields.push(Buffer.concat([encodeCbor('zzzzzzzzzzzz'), encodeCbor(item)]))
        expectAgreed(one, messageOf(fields))
      }),
      { numRuns: 500 }
    )
  })

  it('writes nothing that the schema refuses', () => {
    const junk = fc.oneof(
      scalar,
      fc.double(),
      fc.constant(undefined),
      fc.array(scalar, { maxLength: 3 }),
      fc.dictionary(word, scalar, { maxKeys: 2 }),
      bytes(32)
    )
    fc.assert(
      fc.property(fits, fc.nat(), junk, fc.boolean(), (value, at, item, deeper) => {
        const changed: Record<string, unknown> = structuredClone({ ...value })
        const keys = [...Object.keys(changed), 'ext', 'more']
        const key = keys[at % keys.length] ?? ''
        const inner = changed[key]
        if (deeper && typeof inner === 'object' && inner !== null && !(inner instanceof Uint8Array)) {
          const target = inner as Record<string, unknown>
          const inside = Object.keys(target)
          target[inside[at % Math.max(1, inside.length)] ?? '0'] = item
        } else changed[key] = item
        const written = encodeShape(shape, changed)
        if (written === undefined) return
        expect(schema.safeParse(changed).success).toBe(true)
        expect(written).toEqual(encodeCbor(changed))
      }),
      { numRuns: 500 }
    )
  })
})

it('parameters in any order, twice or under reserved names are read as the library reads them', () => {
  const key = fc.constantFrom('a', 'b', 'ab', 'ba', 'é', 'long name', '__proto__', '/', 'constructor', '')
  const [one] = shaped.filter(({ of }) => of === 'a task')
  if (one === undefined) throw new Error('a task has no shape')
  fc.assert(
    fc.property(task, fc.array(fc.tuple(key, scalar), { maxLength: 4 }), (head, entries) => {
      const map = messageOf(entries.map(([name_, item]) => Buffer.concat([encodeCbor(name_), encodeCbor(item)])))
      const { parameters: _, ...others } = head
      expectAgreed(one, messageOf([...fieldsOf(others), Buffer.concat([encodeCbor('parameters'), map])]))
    }),
    { numRuns: 1000 }
  )
})
