import { abortError, type MotorpoolError, throwIfAborted } from '../../protocol/errors.ts'
import type { SignalOption, TransferBody } from '../mesh.ts'
import { withSignal } from '../with-signal.ts'
import type { MemoryBudget } from './memory-budget.ts'

/** The receiving end of one transfer. */
export interface IncomingBody {
  readonly body: TransferBody
  /** Bytes still to come. */
  readonly missing: number
  /** Whether somebody waits for bytes that haven't come. */
  readonly awaited: boolean
  push: (chunk: Uint8Array) => void
  fail: (error: MotorpoolError) => void
}

export interface IncomingBodyInit {
  readonly byteLength: number
  readonly budget: MemoryBudget
  /** Hears how many bytes left the queue, to let more come. */
  readonly onTaken: (bytes: number) => void
}

export function createIncomingBody(init: IncomingBodyInit): IncomingBody {
  const { byteLength, budget, onTaken } = init
  let queue: Uint8Array[] = []
  let missing = byteLength
  let failure: MotorpoolError | undefined
  let discarded = false
  let arrival: PromiseWithResolvers<void> | undefined

  const wake = () => {
    arrival?.resolve()
    arrival = undefined
  }
  const take = async (signal?: AbortSignal): Promise<Uint8Array | undefined> => {
    for (;;) {
      throwIfAborted(signal)
      const chunk = queue.shift()
      if (chunk !== undefined) {
        onTaken(chunk.length)
        return chunk
      }
      if (missing === 0 || discarded) return undefined
      if (failure !== undefined) throw failure
      arrival ??= Promise.withResolvers()
      await withSignal(arrival.promise, signal)
    }
  }
  const discard = () => {
    discarded = true
    const dropped = queue
    queue = []
    for (const chunk of dropped) onTaken(chunk.length)
    wake()
  }
  const whole = (): readonly Uint8Array[] | undefined => {
    if (missing > 0) return undefined
    const parts = queue
    queue = []
    let bytes = 0
    for (const part of parts) bytes += part.length
    if (bytes > 0) onTaken(bytes)
    return parts
  }
  const all = async (options: SignalOption = {}): Promise<readonly Uint8Array[]> => {
    throwIfAborted(options.signal)
    // What is there takes no more memory when it is handed out, so it claims none.
    const parts = whole()
    if (parts !== undefined) return parts
    const release = await budget.reserve(byteLength, options.signal)
    try {
      const parts: Uint8Array[] = []
      for (let chunk = await take(options.signal); chunk !== undefined; chunk = await take(options.signal)) parts.push(chunk)
      return parts
    } catch (error) {
      discard()
      throw options.signal?.aborted === true ? abortError(options.signal) : error
    } finally {
      release()
    }
  }
  return {
    body: {
      byteLength,
      whole,
      all,
      discard,
      async *[Symbol.asyncIterator]() {
        try {
          for (let chunk = await take(); chunk !== undefined; chunk = await take()) yield chunk
        } finally {
          discard()
        }
      }
    },
    get missing() {
      return missing
    },
    get awaited() {
      return arrival !== undefined
    },
    push: chunk => {
      missing -= chunk.length
      if (discarded) onTaken(chunk.length)
      else queue.push(chunk)
      wake()
    },
    fail: error => {
      if (missing === 0) return
      failure ??= error
      wake()
    }
  }
}
