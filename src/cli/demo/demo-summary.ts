import { formatTable } from '../table.ts'
import type { CarHistory } from '../vehicle/car-history.ts'
import { shortEnergy, shortReason } from '../vehicle/car-words.ts'
import { type CarTally, median } from './demo-tally.ts'

/** What became of a car in the demo. */
export type CarFate = 'stayed' | 'left' | 'came back' | 'killed'

/** What the demo found, as its JSON line tells it. */
export interface DemoSummary {
  readonly seed: number
  readonly pages: number
  /** Edits over characters of the true texts, 0 to 1. */
  readonly characterErrorRate: number
  readonly cars: readonly ({
    readonly name: string
    readonly pages: number
    readonly medianMs: number | null
    readonly receipts: number
    readonly fate: CarFate
  } & CarHistory)[]
  /** Pages that went to another car after their first. */
  readonly moved: number
  readonly receipts: number
  /** The folder with texts and receipts. */
  readonly output: string
}

/** Cars as the summary tells of them. */
export function summarizeCar(tally: CarTally, history: CarHistory): DemoSummary['cars'][number] {
  const middle = median(tally.tookMs())
  return {
    name: tally.car.name,
    pages: tally.tookMs().length,
    medianMs: middle === undefined ? null : Math.round(middle),
    receipts: tally.receipts(),
    fate: fateOf(tally.killed, history),
    ...history
  }
}

function fateOf(killed: boolean, { turns }: CarHistory): CarFate {
  if (killed) return 'killed'
  if (turns.at(-1)?.type === 'left') return 'left'
  return turns.some(({ type }) => type === 'left') ? 'came back' : 'stayed'
}

/** The summary for people; `verifyCommand` is the line to paste. */
export function describeSummary(summary: DemoSummary, seconds: number, verifyCommand: string): string {
  const rows = summary.cars.map(car => [car.name, car.pages, car.medianMs ?? '–', car.receipts, shortEnergy(car.energy)])
  return [
    '',
    formatTable(['car', 'pages', 'median ms', 'receipts', 'energy'], rows),
    '',
    ...summary.cars.flatMap(describeTurns),
    '',
    `${summary.pages} pages in ${seconds.toFixed(1)} s, character error rate ${(summary.characterErrorRate * 100).toFixed(2)} %, ${summary.moved} ${summary.moved === 1 ? 'page' : 'pages'} moved to another car`,
    `texts and receipts are in ${summary.output}`,
    'verify the receipts, offline:',
    `  ${verifyCommand}`
  ].join('\n')
}

/** Why a car joined and left, a line each, by its own time of day. */
function describeTurns({ name, turns, fate }: DemoSummary['cars'][number]): string[] {
  const lines = turns.map(({ type, reason, at }) => `${at.slice(11, 16)} ${type.padEnd(6)}  ${shortReason(reason)}`)
  if (fate === 'killed') lines.push('      killed  its process was ended; it could tell nobody')
  return lines.map((line, index) => `${(index === 0 ? name : '').padEnd(name.length)}  ${line}`)
}
