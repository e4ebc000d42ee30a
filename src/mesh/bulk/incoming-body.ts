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
  return new ArrivingBody(init)
}

/** A class, for one is made with every transfer. */
class ArrivingBody implements IncomingBody, TransferBody {
  readonly #init: IncomingBodyInit
  #queue: Uint8Array[] = []
  #missing: number
  #failure: MotorpoolError | undefined
  #discarded = false
  #arrival: PromiseWithResolvers<void> | undefined

  constructor(init: IncomingBodyInit) {
    this.#init = init
    this.#missing = init.byteLength
  }

  get body(): TransferBody {
    return this
  }

  get byteLength(): number {
    return this.#init.byteLength
  }

  get missing(): number {
    return this.#missing
  }

  get awaited(): boolean {
    return this.#arrival !== undefined
  }

  push(chunk: Uint8Array): void {
    this.#missing -= chunk.length
    if (this.#discarded) this.#init.onTaken(chunk.length)
    else this.#queue.push(chunk)
    this.#wake()
  }

  fail(error: MotorpoolError): void {
    if (this.#missing === 0) return
    this.#failure ??= error
    this.#wake()
  }

  whole(): readonly Uint8Array[] | undefined {
    return this.#missing === 0 ? this.#takeAll() : undefined
  }

  async all(options: SignalOption = {}): Promise<readonly Uint8Array[]> {
    throwIfAborted(options.signal)
    // What is there takes no more memory when it is handed out, so it claims none.
    const whole = this.whole()
    if (whole !== undefined) return whole
    const release = await this.#init.budget.reserve(this.byteLength, options.signal)
    try {
      const parts: Uint8Array[] = []
      for (let chunk = await this.#take(options.signal); chunk !== undefined; chunk = await this.#take(options.signal)) parts.push(chunk)
      return parts
    } catch (error) {
      this.discard()
      throw options.signal?.aborted === true ? abortError(options.signal) : error
    } finally {
      release()
    }
  }

  discard(): void {
    this.#discarded = true
    this.#takeAll()
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let chunk = await this.#take(); chunk !== undefined; chunk = await this.#take()) yield chunk
    } finally {
      this.discard()
    }
  }

  #takeAll(): readonly Uint8Array[] {
    const parts = this.#queue
    if (parts.length === 0) return parts
    this.#queue = []
    this.#init.onTaken(parts.reduce((sum, part) => sum + part.length, 0))
    return parts
  }

  async #take(signal?: AbortSignal): Promise<Uint8Array | undefined> {
    for (;;) {
      throwIfAborted(signal)
      const chunk = this.#queue.shift()
      if (chunk !== undefined) {
        this.#init.onTaken(chunk.length)
        return chunk
      }
      if (this.#missing === 0 || this.#discarded) return undefined
      if (this.#failure !== undefined) throw this.#failure
      this.#arrival ??= Promise.withResolvers()
      await withSignal(this.#arrival.promise, signal)
    }
  }

  #wake(): void {
    this.#arrival?.resolve()
    this.#arrival = undefined
  }
}
