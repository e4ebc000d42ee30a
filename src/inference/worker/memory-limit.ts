import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * Lets this process take `limitBytes` more private memory than it has now, and no core dumps (they would hold inputs).
 * It limits data, not address space: Node reserves between 1.8 and 10 GB of addresses that it never touches, depending on
 * how much WebAssembly is loaded. Beyond the limit an allocation fails, so ONNX Runtime or the process gives up alone.
 * Returns false where the system has no `prlimit` (util-linux).
 */
export function limitMemory(limitBytes: number): boolean {
  try {
    const data = /^VmData:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    if (data === undefined) return false
    execFileSync('prlimit', ['--pid', String(process.pid), `--data=${Number(data) * 1024 + limitBytes}`, '--core=0'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
