import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes that may pass before their buffers are collected: a collection takes about a millisecond. */
const COLLECT_EVERY_BYTES = 16 * 1024 * 1024

let collect: ((options: { readonly type: 'minor' }) => void) | undefined
let passedBytes = 0

/**
 * To be told of bulk bytes received or sent. Every read and every encrypted piece is a fresh buffer, and V8 lets 64 MB of
 * dead ones pile up while little else is allocated; a minor collection now and then keeps a peer's memory level.
 */
export function countBufferBytes(bytes: number): void {
  passedBytes += bytes
  if (passedBytes < COLLECT_EVERY_BYTES) return
  passedBytes = 0
  collect ??= exposedCollector()
  collect?.({ type: 'minor' })
}

/** V8's own collector, out of the reach of other code; undefined where the runtime doesn't hand it out. */
function exposedCollector(): typeof collect {
  setFlagsFromString('--expose-gc')
  const found: unknown = runInNewContext('globalThis.gc')
  return typeof found === 'function' ? options => found(options) : undefined
}
