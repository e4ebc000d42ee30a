import { rmdirSync } from 'node:fs'
import { Worker } from 'node:worker_threads'

const CHECK_MS = 500

/** Run in a thread: the main thread may be in the middle of a run. Only an empty folder is removed. */
const WATCH = `
  const { rmdirSync } = require('node:fs')
  const { workerData: { parent, folder } } = require('node:worker_threads')
  setInterval(() => {
    if (process.ppid === parent) return
    try { rmdirSync(folder) } catch {}
    process.kill(process.pid, 'SIGKILL')
  }, ${CHECK_MS})`

/**
 * Ends this process when its parent is gone, even while a run blocks the main thread: a killed peer must leave neither a
 * process nor the worker's empty folder behind.
 */
export function dieWithParent(): void {
  const limits = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 }
  new Worker(WATCH, { eval: true, workerData: { parent: process.ppid, folder: process.cwd() }, resourceLimits: limits }).unref()
}

/** Ends this process because its peer has closed the socket. */
export function leave(): never {
  try {
    rmdirSync(process.cwd())
  } catch {
    // Somebody else has removed it, or put something there.
  }
  process.exit(0)
}
