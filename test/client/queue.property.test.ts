import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Queue } from '../../src/client/steps/queue.ts'

test('a queue keeps the order of an array, however it is filled and emptied', () => {
  const name = fc.integer({ min: 0, max: 9 })
  const change = fc.oneof(
    fc.record({ kind: fc.constant('push'), names: fc.array(name, { maxLength: 200 }) }),
    fc.record({ kind: fc.constant('unshift'), names: fc.array(name, { maxLength: 5 }) }),
    fc.record({ kind: fc.constant('shift'), names: fc.array(name, { maxLength: 200 }) }),
    fc.record({ kind: fc.constant('remove'), names: fc.array(name, { maxLength: 3 }) })
  )
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), changes => {
      const queue = new Queue<{ readonly name: number }>()
      let like: { readonly name: number }[] = []
      for (const { kind, names } of changes) {
        const items = names.map(of => ({ name: of }))
        if (kind === 'push') {
          for (const item of items) queue.push(item)
          like.push(...items)
        } else if (kind === 'unshift') {
          queue.unshift(items)
          like.unshift(...items)
        } else if (kind === 'shift') {
          for (const _ of items) expect(queue.shift()).toBe(like.shift())
        } else {
          const matches = (item: { readonly name: number }): boolean => names.includes(item.name)
          expect(queue.remove(matches)).toEqual(like.filter(matches))
          like = like.filter(item => !matches(item))
        }
        expect(queue.length).toBe(like.length)
        expect([...queue]).toEqual(like)
      }
    })
  )
})
