import { MultiBar, type SingleBar } from 'cli-progress'
import type { CarTally } from './demo-tally.ts'

/** Shows the demo as it goes. */
export interface DemoBoard {
  /** Something worth a line of its own. */
  readonly tell: (line: string) => void
  /** A page is done, or work moved. */
  readonly update: (done: number, cars: readonly CarTally[]) => void
  readonly stop: () => void
}

/** A bar for the pages and a line for each car on a terminal; elsewhere plain lines. */
export function createBoard(pages: number, cars: readonly CarTally[], stateOf: (car: CarTally) => string, note: (line: string) => void): DemoBoard {
  return process.stderr.isTTY === true ? terminalBoard(pages, cars, stateOf) : plainBoard(pages, note)
}

function terminalBoard(pages: number, cars: readonly CarTally[], stateOf: (car: CarTally) => string): DemoBoard {
  const bars = new MultiBar({
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 32,
    hideCursor: true,
    stream: process.stderr,
    gracefulExit: false,
    emptyOnZero: true
  })
  const describe = (each: CarTally) => describeCar(each, stateOf(each))
  const total = bars.create(pages, 0, {}, { format: 'pages  {bar} {value} of {total}' })
  const lines: SingleBar[] = cars.map(each => bars.create(1, 0, { line: describe(each) }, { format: '{line}' }))
  return {
    tell: line => bars.log(`${line}\n`),
    update: (done, now) => {
      total.update(done)
      for (const [index, each] of now.entries()) lines[index]?.update(0, { line: describe(each) })
    },
    stop: () => bars.stop()
  }
}

/** A line for every few pages: what happens to cars is not to drown in them. */
const PAGES_A_LINE = 4

function plainBoard(pages: number, note: (line: string) => void): DemoBoard {
  let shown = 0
  return {
    tell: note,
    update: done => {
      if (done - shown < PAGES_A_LINE && (done === shown || done < pages)) return
      shown = done
      note(`${done} of ${pages} pages`)
    },
    stop: () => undefined
  }
}

function describeCar(tally: CarTally, state: string): string {
  const working = [...tally.working().keys()]
  const doing = state !== 'parked' ? state : working.length === 0 ? 'idle' : `reads ${working.join(', ')}`
  return `${tally.car.name}  ${String(tally.tookMs().length).padStart(2)} pages  ${doing}`
}
