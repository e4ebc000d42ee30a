import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { MotorpoolError } from '../protocol/errors.ts'

/** Short against the seconds that filling gigabytes takes, long against the cost of a look. */
const CHECK_MS = 100
/** What Linux counts resident memory in; on machines with larger pages the limit is only met earlier. */
const PAGE_BYTES = 4096
/** What a worker holds before its model is loaded: Node, ONNX Runtime, code. */
const BASELINE_BYTES = 160 * 1024 * 1024

export interface MemoryWatch {
  readonly limitBytes: number
  readonly onExceeded: (error: MotorpoolError) => void
  readonly signal: AbortSignal
}

/**
 * Watches a process's resident memory where the system cannot limit it; a system without /proc is not watched. It may
 * overshoot by what the process can touch in a tenth of a second.
 */
export function watchMemory(pid: number, { limitBytes, onExceeded, signal }: MemoryWatch): void {
  const look = async (): Promise<void> => {
    while (!signal.aborted) {
      const pages = Number((await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ')[1])
      if (pages * PAGE_BYTES > limitBytes + BASELINE_BYTES) {
        onExceeded(
          new MotorpoolError('ERR_MEMORY_LIMIT', `the worker took more than ${limitBytes} bytes and was killed; send a smaller input or raise memoryLimitBytes`)
        )
        return
      }
      await delay(CHECK_MS, undefined, { signal, ref: false })
    }
  }
  // The process is gone, or there is no /proc.
  look().catch(() => {})
}
