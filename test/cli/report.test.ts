import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import { addToDay, emptyDay, type OwnerDayPart } from '../../src/energy/report/owner-day.ts'
import type { OwnerReport } from '../../src/energy/report/owner-report.ts'
import { runCommand } from './run-command.ts'

const KWH_MJ = 3.6e9
const DAY_MS = 86_400_000
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'motorpool-report-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const report = (...argv: readonly string[]): Promise<string> => runCommand(folder, ['report', ...argv])

/** Lays out a data folder with a row for each number of days ago. */
function keep(rows: readonly (readonly [daysAgo: number, part: OwnerDayPart])[]): void {
  const dayOf = (daysAgo: number): string => new Date(Date.now() - daysAgo * DAY_MS).toISOString().slice(0, 10)
  const days = rows.map(([daysAgo, part]) => addToDay(emptyDay(dayOf(daysAgo)), part))
  writeFileSync(join(folder, 'report.json'), JSON.stringify({ v: 1, days }), { mode: 0o600 })
}

const DAY: OwnerDayPart = {
  stays: 1,
  presentMs: 7.2e6,
  done: 4,
  runs: { estimated: { count: 4, marginalMj: 0.5 * KWH_MJ, attributedMj: KWH_MJ } },
  earned: { EUR: 1_500_000 }
}

test('is made of the data folder and its policy alone, and tells what is unknown', async () => {
  keep([
    [2, DAY],
    [1, DAY]
  ])
  writeFileSync(join(folder, 'policy.yaml'), 'price: {electricityPerKwh: 0.25}\n')
  const text = await report()
  expect(text).toContain('on 2 of them on the mesh')
  expect(text).toMatch(/^tasks +8 done, 0 failed, 0 handed back$/m)
  expect(text).toMatch(/^ +marginal 1 kWh, attributed 2 kWh, while idle unknown$/m)
  expect(text).toMatch(/^earned +3 EUR; by signed receipts, nobody has paid yet$/m)
  expect(text).toMatch(/^electricity +0.5 EUR$/m)
  expect(text).toMatch(/^net +2.5 EUR$/m)
  expect(text).toMatch(/^unknown +gCO₂e and SCI: no carbon intensity was told; start the car with --intensity$/m)
})

test('counts as many days as asked for, today among them, and as JSON holds the same figures', async () => {
  keep([
    [40, DAY],
    [3, DAY],
    [1, { ...DAY, carbon: { marginal: { drawnMj: KWH_MJ, drawnGrams: 500, tasks: 4, taskMj: KWH_MJ, taskGrams: 500, deviceMs: 1, forecastTasks: 0 } } }]
  ])
  const of = async (...argv: readonly string[]) => JSON.parse(await report('--json', ...argv)) as OwnerReport
  expect((await of()).tasks.done).toBe(8)
  expect((await of('--days', '92')).tasks.done).toBe(12)
  const few = await of('--days', '3')
  expect(few).toMatchObject({ hours: 2, stays: 1, tasks: { done: 4 }, earned: { EUR: 1.5 }, carbon: [{ kind: 'marginal', operationalGramsPerTask: 125 }] })
  expect(await report('--days', '3')).toMatch(/^SCI, marginal +unknown \(E × I alone: 125 g\) a task, over 4 tasks$/m)
})

test('of a folder in which no car ran says so', async () => {
  expect(await report()).toContain('nothing is recorded')
  expect(JSON.parse(await report('--json'))).toMatchObject({ hours: 0, tasks: { done: 0 } })
})

test('tells a damaged record, and days that are not kept, in one line', async () => {
  writeFileSync(join(folder, 'report.json'), '{"v":1,"days":[{"day":"yesterday"}]}')
  expect(await report()).toMatch(/^motorpool: [^\n]*report\.json is damaged; remove it[^\n]*\(ERR_DATA_FOLDER\)$/)
  expect(await report('--days', '93')).toContain('give a whole number from 1 to 92')
})

test.each([
  ['electricity-maps', 'needs a zone'],
  ['electricity-maps:DE', 'put yours into MOTORPOOL_INTENSITY_TOKEN']
])('a car with --intensity %s is refused before it starts', async (address, text) => {
  const context = {
    signal: new AbortController().signal,
    environment: { MOTORPOOL_HOME: folder },
    print: () => undefined,
    note: () => undefined,
    endWith: () => undefined
  }
  await expect(createProgram(context).parseAsync(['up', '--intensity', address], { from: 'user' })).rejects.toThrow(text)
})
