import { spawn } from 'node:child_process'
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { abortError, MotorpoolError } from '../protocol/errors.ts'
import { identifyProcess } from './process-identity.ts'
import type { TestnetCar } from './testnet-state.ts'

export interface CarProcessOptions {
  /** What starts a car: a Node and motorpool's own script. */
  readonly command: readonly string[]
  readonly name: string
  readonly dataFolder: string
  readonly modelFolder: string
  /** Whose models it may run; hex. */
  readonly publisher: string
  readonly join: readonly string[]
  readonly slots: number
  /** Its vehicle's address and where it listens; missing: it is parked by hand and listens anywhere. */
  readonly attends?: { readonly vehicle: string; readonly listen: string; readonly wattsPerCore: number }
  /** Ends with the process that started it, however that ends. */
  readonly tethered: boolean
  readonly signal?: AbortSignal
}

/** A car loads models and joins within a few seconds; a busy machine takes longer. */
const READY_LIMIT_MS = 60_000
/** What a car tells of itself, a JSON object a line. */
export const LOG_FILE = 'car.log'

/**
 * Starts `motorpool up` as a process of its own and resolves when it says that it is ready. It leads its own process
 * group, so that a Ctrl-C meant for its parent doesn't reach it first. What it logs goes to `car.log` in its data folder.
 */
export async function startCarProcess(options: CarProcessOptions): Promise<TestnetCar> {
  const { command, dataFolder, name, signal } = options
  await mkdir(dataFolder, { recursive: true, mode: 0o700 })
  const log = await open(join(dataFolder, LOG_FILE), 'a', 0o600)
  const [program = process.execPath, ...first] = command
  const child = spawn(program, [...first, ...carArguments(options)], {
    detached: true,
    stdio: [options.tethered ? 'pipe' : 'ignore', 'pipe', log.fd],
    env: { ...process.env, MOTORPOOL_TESTNET_CAR: dataFolder }
  })
  try {
    const line = await readyLine(child, signal)
    const { peerId, addresses } = JSON.parse(line) as { peerId: string | null; addresses: string[] }
    child.stdout?.destroy()
    child.unref()
    return { name, ...identifyProcess(child.pid ?? 0), peerId, addresses, dataFolder }
  } catch (cause) {
    child.kill('SIGKILL')
    if (signal?.aborted === true) throw abortError(signal)
    throw new MotorpoolError('ERR_RUN_FAILED', `${name} did not start, it said: ${await lastLogLine(dataFolder)}`, { cause })
  } finally {
    await log.close()
  }
}

function carArguments(options: CarProcessOptions): string[] {
  const joins = options.join.flatMap(address => ['--join', address])
  const tether = options.tethered ? ['--tethered'] : []
  const { attends } = options
  // Meters would charge each car with what all processes of this machine draw.
  const vehicle =
    attends === undefined ? [] : ['--vehicle', attends.vehicle, '--listen', attends.listen, '--watts-per-core', String(attends.wattsPerCore), '--no-meters']
  return [
    'up',
    '--json',
    '--data-dir',
    options.dataFolder,
    '--models',
    options.modelFolder,
    '--allow',
    options.publisher,
    '--slots',
    String(options.slots),
    '--log-level',
    'info',
    ...joins,
    ...vehicle,
    ...tether
  ]
}

function readyLine(child: ReturnType<typeof spawn>, signal: AbortSignal | undefined): Promise<string> {
  const limit = AbortSignal.any([AbortSignal.timeout(READY_LIMIT_MS), ...(signal === undefined ? [] : [signal])])
  return new Promise((resolve, reject) => {
    let text = ''
    limit.addEventListener('abort', () => reject(limit.reason), { once: true })
    if (limit.aborted) reject(limit.reason)
    child.on('error', reject)
    child.on('exit', (code, by) => reject(new Error(`exit ${code ?? by}`)))
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const end = text.indexOf('\n')
      if (end >= 0) resolve(text.slice(0, end))
    })
  })
}

async function lastLogLine(dataFolder: string): Promise<string> {
  const text = await readFile(join(dataFolder, LOG_FILE), 'utf8').catch(() => '')
  return text.trimEnd().split('\n').at(-1) ?? 'it said nothing'
}
