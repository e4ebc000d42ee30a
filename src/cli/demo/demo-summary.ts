import { formatTable, shortPeer } from '../table.ts'
import { type CarTally, median } from './demo-tally.ts'

/** What the demo found, as its JSON line tells it. */
export interface DemoSummary {
  readonly pages: number
  /** Edits over characters of the true texts, 0 to 1. */
  readonly characterErrorRate: number
  readonly cars: readonly {
    readonly name: string
    readonly peer: string
    readonly pages: number
    readonly medianMs: number | null
    readonly receipts: number
    readonly fate: string
  }[]
  /** Pages that went to another car after their first. */
  readonly moved: number
  readonly receipts: number
  /** The folder with texts and receipts. */
  readonly output: string
}

/** Cars as the summary tells of them. */
export function summarizeCars(tallies: readonly CarTally[]): DemoSummary['cars'] {
  return tallies.map(({ car, fate, tookMs, receipts }) => {
    const middle = median(tookMs)
    return { name: car.name, peer: car.peerId, pages: tookMs.length, medianMs: middle === undefined ? null : Math.round(middle), receipts, fate }
  })
}

/** The summary for people; `verifyCommand` is the line to paste. */
export function describeSummary(summary: DemoSummary, seconds: number, verifyCommand: string): string {
  const rows = summary.cars.map(car => [
    `${car.name} ${shortPeer(car.peer)}`,
    car.pages,
    car.medianMs ?? '–',
    car.receipts,
    car.fate === 'parked' ? '' : car.fate
  ])
  return [
    '',
    formatTable(['car', 'pages', 'median ms', 'receipts', ''], rows),
    '',
    `${summary.pages} pages in ${seconds.toFixed(1)} s, character error rate ${(summary.characterErrorRate * 100).toFixed(2)} %, ${summary.moved} ${summary.moved === 1 ? 'page' : 'pages'} moved to another car`,
    `texts and receipts are in ${summary.output}`,
    'verify the receipts, offline:',
    `  ${verifyCommand}`
  ].join('\n')
}
