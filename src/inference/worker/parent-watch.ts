import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'

const CHECK_MS = 500

/** Run in a thread: the main thread may be in the middle of a run. */
const WATCH = `
  const { rmSync } = require('node:fs')
  const { workerData: { parent, folder } } = require('node:worker_threads')
  setInterval(() => {
    if (process.ppid === parent) return
    try { rmSync(folder, { recursive: true, force: true, maxRetries: 3 }) } catch {}
    process.kill(process.pid, 'SIGKILL')
  }, ${CHECK_MS})`

/**
 * Ends this process when its parent is gone, even while a run blocks the main thread: a killed peer must leave neither a
 * process nor the runner's folder behind.
 */
export function dieWithParent(): void {
  const limits = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 }
  new Worker(WATCH, { eval: true, workerData: { parent: process.ppid, folder: runnerFolder() }, resourceLimits: limits }).unref()
}

/** Ends this process because its peer has closed the socket. */
export function leave(): never {
  try {
    // Compiled code may be written into it at the same moment.
    rmSync(runnerFolder(), { recursive: true, force: true, maxRetries: 3 })
  } catch {
    // Somebody else has removed it.
  }
  process.exit(0)
}

/** The runner made it for its workers alone: a working folder, where this process runs, and compiled code. */
function runnerFolder(): string {
  return dirname(process.cwd())
}
