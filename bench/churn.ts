import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { livingAddresses } from '../src/cli/join-mesh.ts'
import { verifyReceipt } from '../src/ledger/verify-receipt.ts'
import { createPeer, type Peer } from '../src/peer.ts'
import type { Tensor, Value } from '../src/protocol/tensor.ts'
import { signalProcess, waitUntilGone } from '../src/testnet/process-identity.ts'
import { restartCar, startTestnet } from '../src/testnet/start-testnet.ts'
import { stopTestnet } from '../src/testnet/stop-testnet.ts'
import { readTestnet, testnetModelFolder } from '../src/testnet/testnet-state.ts'
import { sleepyModel } from '../test/fixtures/models/make.ts'

export interface ChurnOptions {
  readonly cars: number
  readonly tasks: number
  /** A random car is killed with SIGKILL this often, and started again. */
  readonly killEveryMs: number
  /** About how long a task computes. */
  readonly taskMs: number
  /** Gives up on a task after this long. @default 120000 */
  readonly deadlineMs?: number
  /** Which cars are killed; the same seed kills the same cars. */
  readonly seed: number
}

export interface ChurnReport {
  /** Tasks that ended as a result, each counted once. */
  readonly results: number
  readonly failed: readonly string[]
  /** Results beyond the first of a task, or with an output that isn't the input's. */
  readonly wrong: number
  readonly validReceipts: number
  readonly kills: number
  /** Tasks whose result came of a later attempt than their first. */
  readonly moved: number
  readonly longestMs: number
  readonly medianMs: number
  readonly totalMs: number
}

const MOTORPOOL = [process.execPath, fileURLToPath(new URL('../bin/motorpool.js', import.meta.url))]

/** Runs tasks on a mesh of real car processes while cars are killed and come back. */
export async function runChurn(options: ChurnOptions, tell: (line: string) => void = () => undefined): Promise<ChurnReport> {
  const folder = mkdtempSync(join(tmpdir(), 'motorpool-churn-'))
  const model = join(folder, 'sleepy.onnx')
  writeFileSync(model, sleepyModel(options.taskMs))
  const testnet = join(folder, 'testnet')
  try {
    const state = await startTestnet({ cars: options.cars, folder: testnet, command: MOTORPOOL, models: [{ path: model, name: 'sleepy' }], tethered: true })
    tell(`${options.cars} cars run`)
    const through = state.cars.slice(0, 3).flatMap(car => car.addresses.slice(0, 1))
    const client = await createPeer({ dataFolder: join(folder, 'client'), modelFolder: testnetModelFolder(testnet), join: through })
    const stop = new AbortController()
    const killing = killAgainAndAgain(testnet, client.addresses(), options, stop.signal, tell)
    try {
      return { ...(await submitAll(client, options)), kills: killing.kills() }
    } finally {
      stop.abort()
      await client.stop()
      await killing.ended
    }
  } finally {
    await stopTestnet(testnet).catch(() => undefined)
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function submitAll(client: Peer, options: ChurnOptions): Promise<Omit<ChurnReport, 'kills'>> {
  const began = performance.now()
  const tookMs = new Map<string, number>()
  const failed: string[] = []
  let wrong = 0
  let moved = 0
  let validReceipts = 0
  const tasks = Array.from({ length: options.tasks }, (_, index) => ({ key: String(index), inputs: { x: numberTensor(index) } }))
  for await (const outcome of client.submit({ model: 'sleepy', tasks, deadlineMs: options.deadlineMs ?? 120_000, targetMs: 500 })) {
    if (outcome.status === 'failed') {
      failed.push(`${outcome.key}: ${outcome.error.message} (${outcome.error.code})`)
      continue
    }
    const { key, result } = outcome
    const input = numberTensor(Number(key))
    if (tookMs.has(key) || !Object.values(result.outputs).every(output => Buffer.from(output.data).equals(Buffer.from(input.data)))) wrong += 1
    tookMs.set(key, result.times.totalMs)
    if (result.attempt > 1) moved += 1
    verifyReceipt(result.receipt, { input: tensorsValue({ x: input }), output: tensorsValue(result.outputs) })
    validReceipts += 1
  }
  const sorted = [...tookMs.values()].sort((left, right) => left - right)
  const timing = {
    longestMs: Math.round(sorted.at(-1) ?? 0),
    medianMs: Math.round(sorted[sorted.length >> 1] ?? 0),
    totalMs: Math.round(performance.now() - began)
  }
  return { results: tookMs.size, failed, wrong, validReceipts, moved, ...timing }
}

function tensorsValue(tensors: Readonly<Record<string, Tensor>>): Value {
  return { kind: 'tensors', parameters: {}, tensors }
}

function killAgainAndAgain(testnet: string, client: readonly string[], options: ChurnOptions, signal: AbortSignal, tell: (line: string) => void) {
  const random = seededRandom(options.seed)
  const restarts: Promise<unknown>[] = []
  let kills = 0
  const restart = async (name: string): Promise<void> => {
    const living = await livingAddresses(readTestnet(testnet))
    // Any peer is a way in: the client too, if all cars that it knew were killed.
    await restartCar(testnet, name, [...living.slice(0, 1), ...client], { tethered: true, signal })
  }
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      await delay(options.killEveryMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) break
      const { cars } = readTestnet(testnet)
      const car = cars[Math.floor(random() * cars.length)]
      if (car === undefined || !signalProcess(car, 'SIGKILL')) continue
      kills += 1
      tell(`killed ${car.name}`)
      await waitUntilGone(car, 5_000)
      restarts.push(restart(car.name).catch((error: unknown) => tell(`${car.name} did not come back: ${String(error)}`)))
    }
    await Promise.all(restarts)
  }
  return { ended: loop(), kills: () => kills }
}

function numberTensor(value: number): Tensor {
  return { type: 'float32', dims: [1], data: new Uint8Array(new Float32Array([value]).buffer) }
}

/** Mulberry32: small, seeded, good enough to choose cars. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      cars: { type: 'string', default: '8' },
      tasks: { type: 'string', default: '200' },
      every: { type: 'string', default: '3' },
      seed: { type: 'string', default: '7' },
      task: { type: 'string', default: '250' }
    }
  })
  const options = {
    cars: Number(values.cars),
    tasks: Number(values.tasks),
    killEveryMs: Number(values.every) * 1000,
    taskMs: Number(values.task),
    seed: Number(values.seed)
  }
  const report = await runChurn(options, line => console.error(line))
  console.log(JSON.stringify(report))
  process.exitCode = report.results === options.tasks && report.wrong === 0 && report.validReceipts === options.tasks ? 0 : 1
}
