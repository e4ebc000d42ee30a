import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ReleasingMap } from '../../../src/protocol/collections/releasing-map.ts'

test('keeps and lists what a Map keeps, in its order', () => {
  const change = fc.record({ key: fc.nat(8), value: fc.option(fc.nat(), { nil: undefined }) })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), changes => {
      const map = new ReleasingMap<number, { readonly of: number }>()
      const model = new Map<number, { readonly of: number }>()
      for (const { key, value } of changes) {
        if (value === undefined) expect(map.delete(key)).toBe(model.delete(key))
        else {
          map.set(key, { of: value })
          model.set(key, { of: value })
        }
        expect(map.has(key)).toBe(model.has(key))
        expect(map.get(key)).toEqual(model.get(key))
      }
      expect(map.size).toBe(model.size)
      expect([...map.keys()]).toEqual([...model.keys()])
      expect([...map.values()]).toEqual([...model.values()])
    })
  )
})

/** Bytes of buffers that minor collections leave behind while 16 at a time come and go. */
function leftBehind(map: { set: (key: number, value: Uint8Array) => void; delete: (key: number) => boolean }): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('globalThis.gc') as (options: { readonly type: 'major' | 'minor' }) => void
  collect({ type: 'major' })
  const before = process.memoryUsage().arrayBuffers
  for (let at = 0; at < 2000; at++) {
    map.set(at, new Uint8Array(64 * 1024))
    map.delete(at - 16)
    if (at % 50 === 0) collect({ type: 'minor' })
  }
  collect({ type: 'minor' })
  return process.memoryUsage().arrayBuffers - before
}

test('lets minor collections have what was deleted, which a Map keeps until a major one', () => {
  const kept = leftBehind(new ReleasingMap<number, Uint8Array>())
  const keptByMap = leftBehind(new Map<number, Uint8Array>())
  expect(kept).toBeLessThan(keptByMap / 4)
})
