import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What starts motorpool: this Node and the script in the checkout. */
export const MOTORPOOL: readonly string[] = [process.execPath, fileURLToPath(new URL('../../bin/motorpool.js', import.meta.url))]

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly process: ChildProcess
  /** The first line of standard output. */
  readonly firstLine: Promise<string>
  readonly finished: Promise<Finished>
}

/** A temporary folder and a mark that every process started for a test carries, children of children too. */
export interface Sandbox {
  readonly folder: string
  readonly start: (...args: readonly string[]) => Running
  readonly run: (...args: readonly string[]) => Promise<Finished>
  /** Processes that carry the mark and still run. */
  readonly left: () => readonly number[]
  /** Ends what is left and removes the folder. */
  readonly close: () => void
}

/** Where a test runs the command line as a user would, apart from every other. */
export function openSandbox(environment: Readonly<Record<string, string | undefined>> = {}): Sandbox {
  const folder = mkdtempSync(join(tmpdir(), 'motorpool-e2e-'))
  const mark = `MOTORPOOL_TEST_MARK=${randomUUID()}`
  const [name = '', value = ''] = mark.split('=')
  const start = (...args: readonly string[]): Running => {
    const [program = '', ...first] = MOTORPOOL
    const child = spawn(program, [...first, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, MOTORPOOL_HOME: join(folder, 'home'), TMPDIR: folder, [name]: value, ...environment }
    })
    return watch(child)
  }
  const left = () => processesMarked(mark)
  return {
    folder,
    start,
    run: (...args) => start(...args).finished,
    left,
    close: () => {
      for (const pid of left()) process.kill(pid, 'SIGKILL')
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}

function watch(child: ChildProcess): Running {
  let stdout = ''
  let stderr = ''
  const line = Promise.withResolvers<string>()
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    if (stdout.includes('\n')) line.resolve(stdout.split('\n', 1)[0] ?? '')
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const finished = new Promise<Finished>(resolve => child.on('close', code => resolve({ code, stdout, stderr })))
  void finished.then(() => line.reject(new Error(`it ended without a line: ${stderr}`)))
  line.promise.catch(() => undefined)
  return { process: child, firstLine: line.promise, finished }
}

/** Linux tells every process's environment as it was at its start; zombies have none. */
function processesMarked(mark: string): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => pid !== process.pid && environmentOf(pid).includes(mark))
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return ''
  }
}
