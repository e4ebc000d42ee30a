import { queryObjects } from 'node:v8'
import { describe, expect, it } from 'vitest'
import { anySignal } from '../../src/protocol/errors.ts'

describe('one signal of several', () => {
  it('aborts with the first of them, and for its reason', () => {
    const [first, second] = [new AbortController(), new AbortController()]
    const either = anySignal(first.signal, undefined, second.signal)
    const nested = anySignal(either, AbortSignal.timeout(60_000))
    expect(nested.aborted).toBe(false)
    second.abort('why')
    expect([either.reason, nested.reason]).toEqual(['why', 'why'])
    expect(anySignal(first.signal, nested).reason).toBe('why')
  })

  it('is that signal when there is one, and never aborts when there is none', () => {
    const { signal } = new AbortController()
    expect(anySignal(undefined, signal, signal)).toBe(signal)
    expect(anySignal(undefined).aborted).toBe(false)
  })

  it('is let go when its time is over, also when others were made of it', async () => {
    const stopped = new AbortController().signal
    const signals = (): number => queryObjects(AbortSignal, { format: 'count' })
    const before = signals()
    for (let count = 0; count < 200; count++) {
      const limited = anySignal(stopped, AbortSignal.timeout(1))
      const nested = anySignal(limited, new AbortController().signal)
      nested.addEventListener('abort', () => undefined, { once: true })
    }
    await expect.poll(() => signals() - before, { timeout: 10_000 }).toBeLessThan(20)
  })
})
