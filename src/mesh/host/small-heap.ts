import { setFlagsFromString } from 'node:v8'

let told = false

/**
 * V8 marks a heap of 20 MB whole again several times a second while buffers pass, because its limit lies too near: a third of the
 * CPU time of a busy peer. From the first call on this process's heap may grow to five times what the last marking left.
 */
export function leaveSmallHeapAlone(): void {
  if (told) return
  told = true
  setFlagsFromString('--heap-growing-percent=400')
}
