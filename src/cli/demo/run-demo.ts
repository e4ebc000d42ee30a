import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClientEvent, JobOutcome } from '../../client/client.ts'
import { DEFAULT_TARGET_MS } from '../../client/steps/client-state.ts'
import { MotorpoolError, throwIfAborted } from '../../protocol/errors.ts'
import { startTestnet } from '../../testnet/start-testnet.ts'
import { stopTestnet } from '../../testnet/stop-testnet.ts'
import type { TestnetState } from '../../testnet/testnet-state.ts'
import { characterErrorRate, characterErrors } from '../../trust/character-error-rate.ts'
import type { CommandContext } from '../context.ts'
import { openClient, testnetClient } from '../join-mesh.ts'
import { textOf } from '../task-output.ts'
import { shownTimeOfDay } from '../testnet/scenario.ts'
import { readCarHistory } from '../vehicle/car-history.ts'
import { createBoard, type DemoBoard } from './demo-board.ts'
import { castDemo, type DemoCast } from './demo-cast.ts'
import { bringMorning, createDemoFleet, type DemoFleet } from './demo-fleet.ts'
import { type DemoPage, readDemoPages } from './demo-pages.ts'
import { type DemoSummary, summarizeCar } from './demo-summary.ts'

export interface DemoOptions {
  /** What starts a car: a Node and motorpool's own script. */
  readonly command: readonly string[]
  /** Which fleet; the same seed gives the same day. */
  readonly seed: number
  /** Texts and receipts go here. @default a new folder in the temporary one */
  readonly output?: string
}

/** The whole demo promises less; this only ends a hang. */
const DEADLINE_MS = 150_000
/** The share of the pages at which a car is killed. */
const KILL_AT = 0.5

/**
 * Brings up car processes on loopback whose recorded vehicles come and go, has them read the pages that come with
 * motorpool, kills one meanwhile, and leaves texts and receipts. No process is left behind, however it ends.
 */
export async function runDemo(options: DemoOptions, context: CommandContext): Promise<DemoSummary> {
  const pages = await readDemoPages()
  const output = options.output ?? mkdtempSync(join(tmpdir(), 'motorpool-demo-'))
  for (const folder of ['texts', 'receipts']) mkdirSync(join(output, folder), { recursive: true })
  const folder = mkdtempSync(join(tmpdir(), 'motorpool-testnet-'))
  const cast = castDemo(options.seed)
  const cars = cast.scenario.traces.length
  context.note(`starting ${cars} cars of a fleet of commuters (seed ${options.seed}), parked and plugged in for the night`)
  try {
    const state = await startTestnet({ cars, folder, command: options.command, tethered: true, signal: context.signal, scenario: cast.scenario })
    return await playDemo(pages, folder, state, cast, output, context).finally(() => stopTestnet(folder))
  } catch (error) {
    if (options.output === undefined) rmSync(output, { recursive: true, force: true })
    throw error
  }
}

async function playDemo(
  pages: readonly DemoPage[],
  folder: string,
  state: TestnetState,
  cast: DemoCast,
  output: string,
  context: CommandContext
): Promise<DemoSummary> {
  let board: DemoBoard | undefined
  const fleet = createDemoFleet(state, cast, line => (board?.tell ?? context.note)(line), context.signal)
  try {
    await fleet.allParked()
    throwIfAborted(context.signal)
    const peer = await openClient(await testnetClient(folder), context)
    board = createBoard(pages.length, fleet.tally.cars, fleet.stateOf, context.note)
    try {
      await bringMorning(folder, state, cast.morningS)
      board.tell(`it is ${shownTimeOfDay(cast.morningS)}, and the day goes by ${cast.scenario.speed} times as fast as real time`)
      const texts = await readPages(pages, fleet, board, output, context, job => peer.submit(job))
      await fleet.dayPlayed()
      throwIfAborted(context.signal)
      const cars = await Promise.all(fleet.tally.cars.map(async each => summarizeCar(each, await readCarHistory(each.car.dataFolder))))
      const receipts = cars.reduce((sum, car) => sum + car.receipts, 0)
      const rate = errorRate(pages, texts)
      return { seed: cast.scenario.seed, pages: texts.size, characterErrorRate: rate, cars, moved: fleet.tally.moved.size, receipts, output }
    } finally {
      board.stop()
      await peer.stop()
    }
  } finally {
    await fleet.stop()
  }
}

async function readPages(
  pages: readonly DemoPage[],
  { tally, killOne }: DemoFleet,
  board: DemoBoard,
  output: string,
  context: CommandContext,
  submit: (job: Parameters<Awaited<ReturnType<typeof openClient>>['submit']>[0]) => AsyncIterable<JobOutcome>
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>()
  const failures: string[] = []
  const show = () => {
    if (texts.size >= KILL_AT * pages.length) killOne()
    board.update(texts.size, tally.cars)
  }
  const tasks = pages.map(({ key, image }) => ({ key, inputs: { image } }))
  const onEvent = (event: ClientEvent) => {
    tally.hear(event, performance.now())
    show()
  }
  for await (const outcome of submit({ model: 'ocr', tasks, signal: context.signal, deadlineMs: DEADLINE_MS, targetMs: DEFAULT_TARGET_MS, onEvent })) {
    if (outcome.status === 'failed') failures.push(`${outcome.key}: ${outcome.error.message} (${outcome.error.code})`)
    else {
      const { key, result } = outcome
      tally.finish(key, result, performance.now())
      texts.set(key, textOf(result) ?? '')
      writeFileSync(join(output, 'texts', `${key}.txt`), `${textOf(result)}\n`)
      writeFileSync(join(output, 'receipts', `${key}.receipt`), result.receipt)
    }
    show()
  }
  throwIfAborted(context.signal)
  if (failures.length > 0) throw new MotorpoolError('ERR_RUN_FAILED', `${failures.length} of ${pages.length} pages failed, the first ${failures[0]}`)
  return texts
}

/** Over all pages together, so that a long page weighs as much as it has characters. */
function errorRate(pages: readonly DemoPage[], texts: ReadonlyMap<string, string>): number {
  return characterErrorRate(pages.map(({ key, truth }) => characterErrors(texts.get(key) ?? '', truth)))
}
