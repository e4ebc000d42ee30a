import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClientEvent, JobOutcome } from '../../client/client.ts'
import { DEFAULT_TARGET_MS } from '../../client/steps/client-state.ts'
import { MotorpoolError, throwIfAborted } from '../../protocol/errors.ts'
import { startTestnet } from '../../testnet/start-testnet.ts'
import { stopTestnet } from '../../testnet/stop-testnet.ts'
import { type TestnetCar, type TestnetState, testnetModelFolder } from '../../testnet/testnet-state.ts'
import { characterErrorRate, characterErrors } from '../../trust/character-error-rate.ts'
import type { CommandContext } from '../context.ts'
import { openClient } from '../join-mesh.ts'
import { textOf } from '../task-output.ts'
import { createBoard } from './demo-board.ts'
import { planFaults } from './demo-faults.ts'
import { type DemoPage, readDemoPages } from './demo-pages.ts'
import { type DemoSummary, summarizeCars } from './demo-summary.ts'
import { createTally } from './demo-tally.ts'

export interface DemoOptions {
  /** What starts a car: a Node and motorpool's own script. */
  readonly command: readonly string[]
  /** Texts and receipts go here. @default a new folder in the temporary one */
  readonly output?: string
}

const CARS = 6
const JOIN_THROUGH = 3
/** The whole demo promises less; this only ends a hang. */
const DEADLINE_MS = 150_000

/**
 * Brings up six car processes on loopback, has them read the pages that come with motorpool, takes two of them away
 * meanwhile, and leaves texts and receipts. No process is left behind, however it ends.
 */
export async function runDemo(options: DemoOptions, context: CommandContext): Promise<DemoSummary> {
  const pages = await readDemoPages()
  const output = options.output ?? mkdtempSync(join(tmpdir(), 'motorpool-demo-'))
  for (const folder of ['texts', 'receipts']) mkdirSync(join(output, folder), { recursive: true })
  const folder = mkdtempSync(join(tmpdir(), 'motorpool-testnet-'))
  context.note(`starting ${CARS} cars`)
  const onCar = (car: TestnetCar) => context.note(`${car.name} is ready: ${car.peerId}`)
  try {
    const state = await startTestnet({ cars: CARS, folder, command: options.command, tethered: true, signal: context.signal, onCar })
    return await readPages(pages, folder, state, output, context).finally(() => stopTestnet(folder))
  } catch (error) {
    if (options.output === undefined) rmSync(output, { recursive: true, force: true })
    throw error
  }
}

async function readPages(pages: readonly DemoPage[], folder: string, state: TestnetState, output: string, context: CommandContext): Promise<DemoSummary> {
  const through = state.cars.slice(0, JOIN_THROUGH).flatMap(car => car.addresses.slice(0, 1))
  const peer = await openClient({ dataFolder: join(folder, 'client'), modelFolder: testnetModelFolder(folder), join: through, mdns: false }, context)
  const tally = createTally(state.cars)
  const board = createBoard(pages.length, tally.cars, context.note)
  const faults = planFaults(tally, (car, keys) => board.tell(`${car.car.name} is ${car.fate}${keys.length === 0 ? '' : ` while it reads ${keys.join(', ')}`}`))
  const texts = new Map<string, string>()
  const failures: string[] = []
  const show = () => {
    faults.due(texts.size / pages.length)
    board.update(texts.size, tally.cars)
  }
  const settle = (outcome: JobOutcome) => {
    if (outcome.status === 'failed') failures.push(`${outcome.key}: ${outcome.error.message} (${outcome.error.code})`)
    else {
      tally.finish(outcome.key, outcome.result, performance.now())
      texts.set(outcome.key, textOf(outcome.result) ?? '')
      writeFileSync(join(output, 'texts', `${outcome.key}.txt`), `${textOf(outcome.result)}\n`)
      writeFileSync(join(output, 'receipts', `${outcome.key}.receipt`), outcome.result.receipt)
    }
    show()
  }
  try {
    const tasks = pages.map(({ key, image }) => ({ key, inputs: { image } }))
    const onEvent = (event: ClientEvent) => {
      tally.hear(event, performance.now())
      show()
    }
    for await (const outcome of peer.submit({ model: 'ocr', tasks, signal: context.signal, deadlineMs: DEADLINE_MS, targetMs: DEFAULT_TARGET_MS, onEvent }))
      settle(outcome)
    await faults.settled()
  } finally {
    board.stop()
    await peer.stop()
  }
  throwIfAborted(context.signal)
  if (failures.length > 0) throw new MotorpoolError('ERR_RUN_FAILED', `${failures.length} of ${pages.length} pages failed, the first ${failures[0]}`)
  const cars = summarizeCars(tally.cars)
  const receipts = cars.reduce((sum, car) => sum + car.receipts, 0)
  return { pages: texts.size, characterErrorRate: errorRate(pages, texts), cars, moved: tally.moved.size, receipts, output }
}

/** Over all pages together, so that a long page weighs as much as it has characters. */
function errorRate(pages: readonly DemoPage[], texts: ReadonlyMap<string, string>): number {
  return characterErrorRate(pages.map(({ key, truth }) => characterErrors(texts.get(key) ?? '', truth)))
}
