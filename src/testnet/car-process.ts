import { spawn } from 'node:child_process'
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { abortError, anySignal, MotorpoolError } from '../protocol/errors.ts'
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
  /** Ends with the process that started it, however that ends. */
  readonly tethered: boolean
  /** Where its vehicle's state comes from, as `motorpool up --vehicle` takes it; the car then joins by itself. @default parked by hand */
  readonly vehicle?: string
  /** Its owner's policy file. @default `policy.yaml` in its data folder */
  readonly policy?: string
  /** To estimate energy, W. */
  readonly coreWatts?: number
  /** The machine's power meters would charge this car with what all of its neighbours draw. @default read */
  readonly meters?: false
  /** A task takes long where a day takes minutes, so that hardly any would be taken on. @default weighed */
  readonly stayOdds?: false
  /** Where it listens. @default loopback, a free port at each join */
  readonly listen?: string
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
    return { name, ...identifyProcess(child.pid ?? 0), peerId: peerId ?? '', addresses, dataFolder }
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
    ...tether,
    ...(options.vehicle === undefined ? [] : ['--vehicle', options.vehicle]),
    ...(options.policy === undefined ? [] : ['--policy', options.policy]),
    ...(options.coreWatts === undefined ? [] : ['--core-watts', String(options.coreWatts)]),
    ...(options.meters === false ? ['--no-meters'] : []),
    ...(options.stayOdds === false ? ['--no-stay-odds'] : []),
    ...(options.listen === undefined ? [] : ['--listen', options.listen])
  ]
}

function readyLine(child: ReturnType<typeof spawn>, signal: AbortSignal | undefined): Promise<string> {
  const limit = anySignal(AbortSignal.timeout(READY_LIMIT_MS), signal)
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
