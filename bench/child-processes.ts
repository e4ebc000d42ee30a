import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const GONE_MS = 700
const living = new Set<ChildProcess>()
const scratchFolders = new Set<string>()

/** What a bench leaves when it is interrupted: nothing. No SIGKILL, as a broker's keeper still has to end its broker. */
process.once('exit', () => {
  for (const child of living) child.kill()
  // They write into their folders until they are gone, and workers notice within half a second that their car is.
  if (living.size > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, GONE_MS)
  for (const folder of scratchFolders) removeFolder(folder)
})

function removeFolder(folder: string): void {
  scratchFolders.delete(folder)
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

/** A folder that is gone when the bench is, at the latest; its processes keep their temporary files there. */
export function createScratch(): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'motorpool-bench-'))
  scratchFolders.add(folder)
  return { folder, remove: () => removeFolder(folder) }
}

export interface ReadyChild<Ready> {
  readonly child: ChildProcess
  readonly pid: number
  /** Its first message. */
  readonly ready: Ready
}

/** Forks a file of bench/processes with one JSON argument and waits for its first message. It ends when its channel does. */
export async function forkReady<Ready>(file: string, init: unknown, options: { readonly scratch: string }): Promise<ReadyChild<Ready>> {
  const child = fork(new URL(`./processes/${file}.ts`, import.meta.url), [JSON.stringify(init)], { env: { ...process.env, TMPDIR: options.scratch } })
  living.add(child)
  child.once('exit', () => living.delete(child))
  return { child, ready: await nextMessage<Ready>(child, file), pid: child.pid ?? 0 }
}

/** Sends a message to a child and resolves with its next one. */
export function ask<Answer>(child: ChildProcess, message: string | object): Promise<Answer> {
  const answer = nextMessage<Answer>(child, 'a bench process')
  child.send(message)
  return answer
}

async function nextMessage<Message>(child: ChildProcess, name: string): Promise<Message> {
  const done = new AbortController()
  const { signal } = done
  try {
    const [message] = (await Promise.race([
      once(child, 'message', { signal }),
      once(child, 'exit', { signal }).then(([code, killedBy]) => Promise.reject(new Error(`${name} ended (${code ?? killedBy}) before it answered`)))
    ])) as [Message]
    return message
  } finally {
    done.abort()
  }
}

export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  if (child.connected) child.disconnect()
  await exited
}

/** A kernel tick of Linux, microseconds. */
const TICK_US = 10_000

/** User and system CPU that a process took since its start, microseconds; NaN where the system has no /proc. */
export function cpuUsOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_US
  } catch {
    return Number.NaN
  }
}

/** Resident memory of a process; NaN where the system has no /proc. */
export function rssBytesOf(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
  } catch {
    return Number.NaN
  }
}
