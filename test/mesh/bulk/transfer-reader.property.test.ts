import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createOutgoing } from '../../../src/mesh/bulk/outgoing.ts'
import { createTransferReader } from '../../../src/mesh/bulk/transfer-reader.ts'
import { numberedHead } from '../peers.ts'

/** A transfer's bytes as a sender writes them. */
function written(id: number, payload: Uint8Array): Uint8Array {
  const { prefix, parts } = createOutgoing(numberedHead(id), [payload], undefined)
  return new Uint8Array(Buffer.concat([prefix, ...(parts ?? [])]))
}

const payloads = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 6 })

test('transfers come out whole and in order, however their bytes are cut', () => {
  fc.assert(
    fc.property(payloads, fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }), (sent, cuts) => {
      const heard: { id: number; parts: Uint8Array[] }[] = []
      const reader = createTransferReader({
        onTransfer: (head, byteLength) => {
          const parts: Uint8Array[] = []
          heard.push({ id: head.type === 'result' ? head.part : -1, parts })
          expect(byteLength).toBe(sent[heard.length - 1]?.length)
          return chunk => void parts.push(chunk)
        }
      })
      const bytes = new Uint8Array(Buffer.concat(sent.map((payload, id) => written(id, payload))))
      for (let at = 0, cut = 0; at < bytes.length; cut++) {
        const length = cuts[cut % cuts.length] ?? 1
        reader.read(bytes.subarray(at, at + length))
        at += length
      }
      expect(reader.midway).toBe(false)
      expect(heard.map(({ id }) => id)).toEqual(sent.map((_, id) => id))
      for (const [index, { parts }] of heard.entries()) expect(Buffer.compare(Buffer.concat(parts), sent[index] ?? new Uint8Array())).toBe(0)
    })
  )
})

test('payloads are views of the chunks that they came in', () => {
  const chunk = written(1, new Uint8Array(1000).fill(7))
  const views: Uint8Array[] = []
  createTransferReader({ onTransfer: () => view => void views.push(view) }).read(chunk)
  expect(views.length).toBe(1)
  expect(views[0]?.buffer).toBe(chunk.buffer)
})

test('noise never does more than throw a typed error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), noise => {
      const reader = createTransferReader({ onTransfer: () => () => {} })
      try {
        reader.read(noise)
      } catch (error) {
        expect(error).toMatchObject({ name: 'MotorpoolError' })
      }
    })
  )
})

test('a transfer cut off anywhere is midway, and never told of twice', () => {
  const bytes = written(3, new Uint8Array(20))
  for (let length = 1; length < bytes.length; length++) {
    const reader = createTransferReader({ onTransfer: () => () => {} })
    reader.read(bytes.subarray(0, length))
    expect(reader.midway).toBe(true)
  }
})
