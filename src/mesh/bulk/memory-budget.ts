import { withSignal } from '../with-signal.ts'

/** Bytes that may be held at once; who asks for more waits in turn. */
export interface MemoryBudget {
  /** Resolves with what gives the bytes back, once. A claim above the whole budget waits until nothing else is held. */
  reserve: (bytes: number, signal?: AbortSignal) => Promise<() => void>
}

export function createMemoryBudget(totalBytes: number): MemoryBudget {
  const queue: { readonly bytes: number; readonly granted: PromiseWithResolvers<void> }[] = []
  let held = 0

  const admit = () => {
    for (let first = queue[0]; first !== undefined && (held === 0 || held + first.bytes <= totalBytes); first = queue[0]) {
      queue.shift()
      held += first.bytes
      first.granted.resolve()
    }
  }
  /** For a claim that needn't wait. */
  const hold = (bytes: number) => {
    let given = false
    held += bytes
    return () => {
      if (given) return
      given = true
      held -= bytes
      admit()
    }
  }
  return {
    reserve: async (bytes, signal) => {
      if (queue.length === 0 && (held === 0 || held + bytes <= totalBytes)) return hold(bytes)
      const claim = { bytes, granted: Promise.withResolvers<void>() }
      let given = false
      const release = () => {
        if (given) return
        given = true
        const at = queue.indexOf(claim)
        if (at >= 0) queue.splice(at, 1)
        else held -= bytes
        admit()
      }
      queue.push(claim)
      admit()
      try {
        await withSignal(claim.granted.promise, signal)
      } catch (error) {
        release()
        throw error
      }
      return release
    }
  }
}
