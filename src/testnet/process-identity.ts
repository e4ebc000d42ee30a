import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** A process that a later one with the same number isn't mistaken for. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks after boot at which it began; absent where the system doesn't tell. */
  readonly startTicks?: string
}

/** Reads of a running process what tells it from a later one with the same number. */
export function identifyProcess(pid: number): ProcessIdentity {
  const startTicks = statistics(pid)?.startTicks
  return startTicks === undefined ? { pid } : { pid, startTicks }
}

/** Whether exactly that process still runs; a zombie doesn't. */
export function isAlive({ pid, startTicks }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  const now = statistics(pid)
  if (now === undefined) return true
  return now.state !== 'Z' && (startTicks === undefined || now.startTicks === startTicks)
}

/** Sends a signal to exactly that process; false when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false
  try {
    return process.kill(identity.pid, signal)
  } catch {
    return false
  }
}

/** Polls, as the process may be no child of ours; false when it still runs after `limitMs`. */
export async function waitUntilGone(identity: ProcessIdentity, limitMs: number): Promise<boolean> {
  const end = performance.now() + limitMs
  while (isAlive(identity)) {
    if (performance.now() > end) return false
    await delay(20)
  }
  return true
}

/** proc(5): the command in parentheses may hold spaces, so fields are counted after it. */
function statistics(pid: number): { readonly state: string; readonly startTicks: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', startTicks: fields[19] ?? '' }
  } catch {
    return undefined
  }
}
